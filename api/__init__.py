"""The public Python face: one call per job, the same core that the nodes and the command line use."""

from __future__ import annotations

from ..clip_backend.calibration.calibration import Calibration, fit_calibration, read_calibration
from ..clip_backend.checkpoints.info import CheckpointInfo
from ..clip_backend.checkpoints.read import read_checkpoint
from ..clip_backend.encoding.features import Features
from ..clip_backend.encoding.image_features import FailedPicture, ImageFeatures
from ..clip_backend.encoding.outcomes import Ok
from ..clip_backend.finding.catalog import FoundModel, find_models
from ..clip_backend.finding.folders import ModelPathConfig, ModelType, detect_comfyui_installation, find_model_folders
from ..clip_backend.ip_adapter.apply_settings import ApplySettings
from ..clip_backend.ip_adapter.reference_settings import ReferenceSettings
from ..clip_backend.labelling.options import LabelOptions
from ..clip_backend.labelling.result import Labelled, PictureLabels
from ..clip_backend.learning.evaluation import Evaluation
from ..clip_backend.learning.exports.result import Exported
from ..clip_backend.learning.options import TrainOptions
from ..clip_backend.learning.runs.report import Report as TrainingReport
from ..clip_backend.loading import load_encoder
from ..clip_backend.match_files.report import PairsReport
from ..clip_backend.matching.result import Matches, MatchOptions, MatchResult
from ..clip_backend.model_check.result import ModelCheck
from ..clip_backend.ranking.result import Ranking, RankOptions
from ..clip_backend.words.files import read_vocabulary
from ..clip_backend.words.vocabulary import Facet, Vocabulary
from ..grid.report import BatchReport, GridReport
from ..grid.template import GridTemplate
from ..imaging import Progress
from .check_model import check_model
from .clip_sheets import ClipOptions
from .collect import collect_images
from .configuration import Configuration, configuration
from .describe import Description, describe
from .embedder import CLIPEmbedder, CLIPModel
from .export_model import export_model
from .ip_adapter import IPAdapterService, find_clip_vision, load_clip_vision
from .ip_adapter_config import IPAdapterConfig, IPAdapterVariant
from .label import CLIPLabeler, label_images
from .match import analyze_image_text_match, batch_compute_similarity, compute_similarity, match
from .match_files import match_pairs
from .models import open_encoder
from .path_resolver import ComfyUIPathResolver, ModelRegistry, create_comfyui_registry
from .rank import rank
from .reference_image import ReferenceImage
from .sheets import (
    SheetInputs,
    assemble_grid_enhanced,
    choose_template,
    dry_report,
    export_batch,
    export_grid,
    plan_export,
)
from .train import check_data, evaluate, train
from .vision_encoder import CLIPVisionEncoder, VisionFeatures

__all__ = [
    "ApplySettings",
    "BatchReport",
    "CLIPEmbedder",
    "CLIPLabeler",
    "CLIPModel",
    "CLIPVisionEncoder",
    "Calibration",
    "CheckpointInfo",
    "ClipOptions",
    "ComfyUIPathResolver",
    "Configuration",
    "Description",
    "Evaluation",
    "Exported",
    "Facet",
    "FailedPicture",
    "Features",
    "FoundModel",
    "GridReport",
    "GridTemplate",
    "IPAdapterConfig",
    "IPAdapterService",
    "IPAdapterVariant",
    "ImageFeatures",
    "LabelOptions",
    "Labelled",
    "MatchOptions",
    "MatchResult",
    "Matches",
    "ModelCheck",
    "ModelPathConfig",
    "ModelRegistry",
    "ModelType",
    "Ok",
    "PairsReport",
    "PictureLabels",
    "Progress",
    "RankOptions",
    "Ranking",
    "ReferenceImage",
    "ReferenceSettings",
    "SheetInputs",
    "TrainOptions",
    "TrainingReport",
    "VisionFeatures",
    "Vocabulary",
    "analyze_image_text_match",
    "assemble_grid_enhanced",
    "batch_compute_similarity",
    "check_data",
    "check_model",
    "choose_template",
    "collect_images",
    "compute_similarity",
    "configuration",
    "create_comfyui_registry",
    "describe",
    "detect_comfyui_installation",
    "dry_report",
    "evaluate",
    "export_batch",
    "export_grid",
    "export_model",
    "find_clip_vision",
    "find_model_folders",
    "find_models",
    "fit_calibration",
    "label_images",
    "load_clip_vision",
    "load_encoder",
    "match",
    "match_pairs",
    "open_encoder",
    "plan_export",
    "rank",
    "read_calibration",
    "read_checkpoint",
    "read_vocabulary",
    "train",
]
