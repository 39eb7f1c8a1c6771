"""Networks of Hugging Face folders: built by transformers from an allow-listed configuration.

No code of a folder is run and no pickle read: `config.json` and `preprocessor_config.json` are
checked as data, weights are safetensors.
"""
