"""The main job as stages that hand over files: logs, users, agents, judgements, measurements."""
