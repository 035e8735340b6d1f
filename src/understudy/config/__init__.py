"""What a run does: one frozen model per stage, read from presets, YAML files and overrides."""

from understudy.config.base import StageConfig
from understudy.config.load import PRESETS, Preset, check_names, config_from, dump_config, load_config
from understudy.config.models import (
    ENDPOINT_LIMITS,
    EndpointConfig,
    ModelConfig,
    UnseenUserModelConfig,
    UserModelConfig,
    Weights,
)
from understudy.config.stages import ARMS, Arm, CompareConfig, JudgeConfig, LogsConfig, SamplingConfig
from understudy.config.training import Credit, ResidualConfig, RLConfig, SFTConfig, VerlConfig

__all__ = [
    "ARMS",
    "ENDPOINT_LIMITS",
    "PRESETS",
    "Arm",
    "CompareConfig",
    "Credit",
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
    "VerlConfig",
    "Weights",
    "check_names",
    "config_from",
    "dump_config",
    "load_config",
]
