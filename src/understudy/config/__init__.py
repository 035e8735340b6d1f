"""What a run does: one frozen model per stage, read from presets, YAML files and overrides."""

from understudy.config.load import PRESETS, Preset, check_names, config_from, dump_config, load_config
from understudy.config.stages import (
    ARMS,
    Arm,
    CompareConfig,
    EndpointConfig,
    JudgeConfig,
    LogsConfig,
    ModelConfig,
    ResidualConfig,
    RLConfig,
    SamplingConfig,
    SFTConfig,
    StageConfig,
    UnseenUserModelConfig,
    UserModelConfig,
)

__all__ = [
    "ARMS",
    "PRESETS",
    "Arm",
    "CompareConfig",
    "EndpointConfig",
    "JudgeConfig",
    "LogsConfig",
    "ModelConfig",
    "Preset",
    "RLConfig",
    "ResidualConfig",
    "SFTConfig",
    "SamplingConfig",
    "StageConfig",
    "UnseenUserModelConfig",
    "UserModelConfig",
    "check_names",
    "config_from",
    "dump_config",
    "load_config",
]
