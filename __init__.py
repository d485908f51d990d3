"""CLIP Grid: labelled image grids for ComfyUI, the command line and Python."""

from __future__ import annotations

import sys

# empty only when pytest imports this file alone, as if it were no package
if __package__:
    try:
        from .interrupts import end_on_signals, is_command_line
    except KeyboardInterrupt:
        # Ctrl-C while the file that answers it is still read
        sys.stderr.write("stopped; no output file was written or changed\n")
        sys.exit(130)

    # the command line answers Ctrl-C already while what follows is imported
    if is_command_line():
        end_on_signals()

    from .nodes.clip_nodes import CLIPModelLoader, CLIPVisionEncode
    from .nodes.grid_nodes import BatchLabeledGridExporterNode, GridTemplateNode, LabeledGridExporterNode
    from .nodes.host import get_host
    from .nodes.ip_adapter_nodes import IPAdapterApply, IPAdapterEmbeds, IPAdapterLoader, IPAdapterReference
    from .nodes.learning_nodes import CLIPLoRA, LearnFromFolder, LoadHead
    from .nodes.routes import add_routes
    from .nodes.score_nodes import CLIPLabel, CLIPMatchScore, RankImages
    from .nodes.search_nodes import IndexImages, SearchImages

    # workflows store the keys: they never change. ComfyUI-Manager reads this literal without running it
    NODE_CLASS_MAPPINGS = {
        "ClipGrid_LabeledGridExporter": LabeledGridExporterNode,
        "ClipGrid_BatchLabeledGridExporter": BatchLabeledGridExporterNode,
        "ClipGrid_GridTemplate": GridTemplateNode,
        "ClipGrid_CLIPModelLoader": CLIPModelLoader,
        "ClipGrid_CLIPVisionEncode": CLIPVisionEncode,
        "ClipGrid_CLIPMatchScore": CLIPMatchScore,
        "ClipGrid_CLIPLabel": CLIPLabel,
        "ClipGrid_RankImages": RankImages,
        "ClipGrid_IndexImages": IndexImages,
        "ClipGrid_SearchImages": SearchImages,
        "ClipGrid_LearnFromFolder": LearnFromFolder,
        "ClipGrid_LoadHead": LoadHead,
        "ClipGrid_CLIPLoRA": CLIPLoRA,
        "ClipGrid_IPAdapterLoader": IPAdapterLoader,
        "ClipGrid_IPAdapterReference": IPAdapterReference,
        "ClipGrid_IPAdapterApply": IPAdapterApply,
        "ClipGrid_IPAdapterEmbeds": IPAdapterEmbeds,
    }
    # older front ends search these alone, and only near their beginning: other words must stand early in a short name
    NODE_DISPLAY_NAME_MAPPINGS = {
        "ClipGrid_LabeledGridExporter": "Labeled Grid Exporter",
        "ClipGrid_BatchLabeledGridExporter": "Batch Labeled Grid Exporter",
        "ClipGrid_GridTemplate": "Grid Template",
        "ClipGrid_CLIPModelLoader": "CLIP Model Loader",
        "ClipGrid_CLIPVisionEncode": "CLIP Vision Encode (CLIP Grid)",
        "ClipGrid_CLIPMatchScore": "CLIP Match Score (Similarity)",
        "ClipGrid_CLIPLabel": "CLIP Label (Tag, Caption)",
        "ClipGrid_RankImages": "Rank Images",
        "ClipGrid_IndexImages": "Index Images",
        "ClipGrid_SearchImages": "Search Images",
        "ClipGrid_LearnFromFolder": "Learn From Folder (Train Head)",
        "ClipGrid_LoadHead": "Load Head (Classifier)",
        "ClipGrid_CLIPLoRA": "CLIP LoRA (CLIP Grid)",
        "ClipGrid_IPAdapterLoader": "IP-Adapter Loader",
        "ClipGrid_IPAdapterReference": "IP-Adapter Reference",
        "ClipGrid_IPAdapterApply": "IP-Adapter Apply",
        "ClipGrid_IPAdapterEmbeds": "IP-Adapter Embeds",
    }
    WEB_DIRECTORY = "./web"
    add_routes(get_host())
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
