"""What a run does: one frozen model per stage, read from presets, YAML files and overrides."""

from understudy.config.base import HUB_PREFIX, StageConfig, hub_name, on_hub
from understudy.config.endpoint import EndpointConfig, InteractivityConfig, PromptedConfig
from understudy.config.load import PRESETS, Preset, check_names, config_from, dump_config, load_config
from understudy.config.models import (
    ModelConfig,
    UnseenUserModelConfig,
    UserModelConfig,
    Weights,
)
from understudy.config.stages import (
    ARMS,
    DEFAULT_ARMS,
    FREE_KEYS,
    LATER_KEYS,
    Arm,
    CompareConfig,
    JudgeConfig,
    LogsConfig,
    SamplingConfig,
)
from understudy.config.training import (
    Credit,
    ResidualConfig,
    RLConfig,
    SFTConfig,
    SupportConfig,
    Tracker,
    VerlConfig,
)

__all__ = [
    "ARMS",
    "DEFAULT_ARMS",
    "FREE_KEYS",
    "HUB_PREFIX",
    "LATER_KEYS",
    "PRESETS",
    "Arm",
    "CompareConfig",
    "Credit",
    "EndpointConfig",
    "InteractivityConfig",
    "JudgeConfig",
    "LogsConfig",
    "ModelConfig",
    "Preset",
    "PromptedConfig",
    "RLConfig",
    "ResidualConfig",
    "SFTConfig",
    "SamplingConfig",
    "StageConfig",
    "SupportConfig",
    "Tracker",
    "UnseenUserModelConfig",
    "UserModelConfig",
    "VerlConfig",
    "Weights",
    "check_names",
    "config_from",
    "dump_config",
    "hub_name",
    "load_config",
    "on_hub",
]
