"""verl as the engine: its trainer on Ray makes the steps, its agent loops hold our dialogues.

`launch` starts it and needs verl installed beside it; `agent_loop`, `users` and `cpu` are what verl's own processes
import; `spec` and `episodes` are what they do, without verl.
"""
