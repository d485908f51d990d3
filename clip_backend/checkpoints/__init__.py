"""Model files: what a file is, and its weights.

``read.read_checkpoint`` takes the path of a file or folder to a ``CheckpointInfo`` without loading weights:

1. ``weight_files``: the files of the model, and the tensors in their headers (``safetensors_header``).
2. ``detection``: the models in these tensors, by the names of each library (``layouts``), and the sizes of their
   encoders. What no encoder reads refuses the file or is noted (``weight_names``), and models that are not loaded are
   called by their names (``unsupported``). The sizes of a pickle, which is not opened, are those of its config.json
   (``config_only``).
3. ``config_files`` and ``properties``: what shapes do not determine, such as the activation, by the strongest source
   that states it: argument, sidecar, config, metadata, fingerprint; else the usual value, which is listed as assumed.
   What a config states and cannot be obeyed is refused (those of open_clip: ``open_clip_configs``).
4. ``spaces``: a fingerprint of the weights, and the embedding space, by which files are used together (``joined``).

``weights.open_weights`` then reads the tensors by the names of Hugging Face, whatever their layout (``weight_names``).
"""
