"""How DQN plays: the actor, its policy, and a checkpoint as an agent."""
