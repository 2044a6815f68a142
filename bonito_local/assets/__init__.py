"""Files that come with the package, and the name of the model among them."""

DEFAULT_MODEL = "bonito-small"
