"""Export of models as ONNX files, and their use with onnxruntime."""
