"""Lanes: a battle arena for two teams of one, three or five heroes under fog of war."""
