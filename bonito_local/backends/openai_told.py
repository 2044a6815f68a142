"""What a server tells of itself and of its models, beyond completions.

`/v1/models` is OpenAI's. llama-server tells more at `/props`, Ollama at `/api/show` and `/api/ps`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bonito_local.backends.endpoint import Endpoint
from bonito_local.backends.http_json import KEY, Client, Refused, Unanswered
from bonito_local.backends.openai_chat import OLLAMA
from bonito_local.errors import BackendError, UsageError, did_you_mean

_CONTEXT = 2048  # where the server does not say
_MOST_TOKENS = 1 << 31  # that a server can have counted


class Server:
    """Asks one server about itself."""

    def __init__(self, client: Client, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return the server's models by name; none where it does not list them.

        Raises:
            BackendError: it is gone, or wants a key.
        """
        try:
            answer = self._client.ask("/v1/models", attempts=2)
        except Refused as error:
            if error.status in (401, 403):
                raise self.refusal(error) from error
            return {}
        except Unanswered as error:
            raise self.gone(error) from error
        found = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            return {}
        return {str(m["id"]): m for m in found if isinstance(m, dict) and "id" in m}

    def described(self, model: str, listed: dict[str, Any]) -> dict[str, object]:
        """Return names of a model and its files, by GGUF's keys; of Ollama also a GGUF's own."""
        props = self.asked("/props")
        props = props if isinstance(props, dict) else {}
        named = [model, listed.get("root"), props.get("model_path"), props.get("model_alias")]
        found: dict[str, object] = {"general.name": " ".join(filter(None, map(_name, named)))}
        if listed.get("owned_by") == OLLAMA:
            info = self.asked("/api/show", "model_info", body={"model": model})
            keys = info.items() if isinstance(info, dict) else ()
            told = {key: said for key, said in keys if key.startswith(("general.", "bonito."))}
            found = {**told, "general.basename": told.get("general.name", ""), **found}
        return found

    def context(self, listed: dict[str, Any]) -> int:
        """Return the most tokens that a model's sequence may hold."""
        meta = listed.get("meta")
        told = [
            listed.get("max_model_len"),  # vLLM
            self.asked("/props", "default_generation_settings", "n_ctx"),  # llama-server
            meta.get("n_ctx_train") if isinstance(meta, dict) else None,
        ]
        return next((n for told_by in told if (n := counted_by(told_by, 0))), _CONTEXT)

    def loaded_context(self, model: str) -> int:
        """Return the context that Ollama loaded a model with, to which it cuts prompts; else 0."""
        loaded = self.asked("/api/ps", "models")
        for one in loaded if isinstance(loaded, list) else ():
            if isinstance(one, dict) and model in (one.get("name"), one.get("model")):
                return counted_by(one.get("context_length"), 0)
        return 0

    def asked(self, path: str, *keys: str, body: dict[str, Any] | None = None) -> Any:
        """Return what a server says beyond the API; None where it says nothing."""
        try:
            found = self._client.ask(path, body, attempts=1)
        except (Refused, Unanswered):
            return None
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def gone(self, error: Unanswered) -> BackendError:
        """Return the error for a server that does not answer."""
        if error.reached:
            return BackendError(
                f"The server at {self._endpoint} is not ready: {error.said}.",
                "Wait until it has loaded its model, or see what it says.",
            )
        return BackendError(
            f"No server answers at {self._endpoint}: {error.said}.",
            "Start it, or correct --endpoint.",
        )

    def refusal(self, error: Refused) -> BackendError:
        """Return the error for a server that refuses everything."""
        if error.status in (401, 403):
            remedy = f"Put its key in the environment variable {KEY}."
        else:
            remedy = "Correct --model or --endpoint; it must serve /v1/completions."
        return BackendError(f"The server at {self._endpoint} refuses: {error.said}.", remedy)


def _name(told: Any) -> str:
    """The last part of a path: a folder's name says nothing of a model."""
    return Path(told).name if isinstance(told, str) else ""


def counted_by(told: Any, otherwise: int) -> int:
    """Return a number of tokens that a server tells, if it is one that can be."""
    is_whole = isinstance(told, int) and not isinstance(told, bool)
    return told if is_whole and 0 <= told <= _MOST_TOKENS else otherwise


def known(name: str, listed: list[str], endpoint: Endpoint) -> str:
    """Return the name as the server lists it: llama-server lists a file's path.

    Raises:
        UsageError: it lists no such model.
    """
    for other in listed:
        if name in (other, Path(other).name, Path(other).stem):
            return other
    raise UsageError(f"{endpoint} has no model {name!r}.", did_you_mean(name, listed))
