"""CLIP Grid: labelled image grids for ComfyUI, the command line and Python."""

from __future__ import annotations
