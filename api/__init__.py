"""The public Python face: one call per job, the same core that the nodes and the command line use."""

from __future__ import annotations

from ..clip_backend.checkpoint import read_checkpoint
from ..clip_backend.checkpoint_info import CheckpointInfo
from ..clip_backend.features import Features
from ..clip_backend.finding.catalog import FoundModel, find_models
from ..clip_backend.finding.installations import detect_comfyui_installation, find_model_folders
from ..clip_backend.finding.model_paths import ModelPathConfig, ModelType
from ..clip_backend.finding.resolver import ComfyUIPathResolver
from ..clip_backend.image_features import FailedPicture, ImageFeatures
from ..clip_backend.loading import load_encoder
from ..clip_backend.vision_encoder import CLIPVisionEncoder, VisionFeatures
from ..grid.pictures import Progress
from ..grid.report import BatchReport, GridReport
from ..grid.template import GridTemplate
from .sheets import (
    SheetInputs,
    assemble_grid_enhanced,
    choose_template,
    dry_report,
    export_batch,
    export_grid,
    plan_export,
)

__all__ = [
    "BatchReport",
    "CLIPVisionEncoder",
    "CheckpointInfo",
    "ComfyUIPathResolver",
    "FailedPicture",
    "Features",
    "FoundModel",
    "GridReport",
    "GridTemplate",
    "ImageFeatures",
    "ModelPathConfig",
    "ModelType",
    "Progress",
    "SheetInputs",
    "VisionFeatures",
    "assemble_grid_enhanced",
    "choose_template",
    "detect_comfyui_installation",
    "dry_report",
    "export_batch",
    "export_grid",
    "find_model_folders",
    "find_models",
    "load_encoder",
    "plan_export",
    "read_checkpoint",
]
