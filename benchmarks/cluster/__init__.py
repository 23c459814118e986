"""Measure runs under Ray on this machine."""
