"""Words and the tokens they are made of, by the tokenizer's own account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xembed._core.inputs import list_items
from xembed._core.text import marked_spans
from xembed._core.validation import check_count, check_texts

if TYPE_CHECKING:
    import torch

# Tokenizers without a limit say so by a number such as 10**30.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class EncodedWords:
    """One sentence as words and as tokens.

    Attributes
    ----------
    words : tuple of str
        All words, also those that were cut off.
    ids : tuple of int
        Token ids, with the special tokens.
    word_ids : tuple of int or None
        The word of each token; None for a special token.
    truncated : bool
        Whether tokens were cut off at the limit of the model.
    """

    words: tuple[str, ...]
    ids: tuple[int, ...]
    word_ids: tuple[int | None, ...]
    truncated: bool = False

    @property
    def special(self) -> tuple[bool, ...]:
        """Whether each token is a special one."""
        return tuple(word is None for word in self.word_ids)


class WordEncoder:
    """Tokenize sentences so that each token knows its word.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
        Fast tokenizer: only these know words.
    max_length : int, optional
        Number of tokens read of a sentence, the special ones among them. By default that of the tokenizer.
    prefix : str, default=''
        Text before each sentence, such as the prompt of an encoder. Its tokens are of no word.
    caller : str
        Name of the function that messages name.

    Raises
    ------
    TypeError, ValueError
        If the tokenizer is a slow one, or ``max_length`` leaves no place for a token that is not special.
    """

    def __init__(self, tokenizer: Any, *, max_length: int | None = None, prefix: str = "", caller: str) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise TypeError(
                f"The tokenizer of {caller} must be a fast one, which knows the word of each token (word_ids). Got the "
                f"slow {type(tokenizer).__name__}: load it with AutoTokenizer.from_pretrained(..., use_fast=True)."
            )
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.caller = caller
        limit = tokenizer.model_max_length
        if max_length is not None:
            # With fewer, the tokenizer would not cut anything off.
            least = tokenizer.num_special_tokens_to_add() + 1
            limit = check_count(max_length, name="max_length", caller=caller, low=least)
        self.max_length: int | None = int(limit) if limit and limit < _NO_LIMIT else None
        self._blank_first = _loses_blanks(tokenizer)

    @property
    def pad_id(self) -> int:
        """The token that fills up short rows; 0 where the tokenizer has none, which the attention mask hides."""
        return int(self.tokenizer.pad_token_id or 0)

    def encode(self, sentences: Sequence[str] | Sequence[Sequence[str]]) -> list[EncodedWords]:
        """Tokenize strings, whose words are the tokenizer's own, or lists of words.

        Raises
        ------
        TypeError, ValueError
            If there is no sentence, or one is no string, blank or without a token that is not special.
        """
        rows = list_items(sentences, name="texts")
        if not rows or all(isinstance(row, str) for row in rows):
            return [self._from_text(text) for text in check_texts(rows)]
        if any(isinstance(row, str) for row in rows):
            raise TypeError(f"The texts of {self.caller} must be all strings or all lists of words. Got both.")
        return [self._from_words(row, number) for number, row in enumerate(rows)]

    def _from_words(self, row: Any, number: int) -> EncodedWords:
        words = tuple(check_texts(row, name=f"The words of text {number}", blank=True))
        before = self.prefix.split()
        ready = [f" {word}" if self._blank_first else word for word in (*before, *words)]
        encoding, truncated = self._tokenize(ready, split=True)
        word_ids = tuple(
            None if word is None or word < len(before) else word - len(before) for word in encoding.word_ids
        )
        return self._checked(words, encoding, truncated, number, word_ids)

    def _from_text(self, text: str) -> EncodedWords:
        text = self.prefix + text
        encoding, truncated = self._tokenize(text, split=False)
        spans: dict[int, tuple[int, int]] = {}
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
            if word is not None and end > len(self.prefix):
                low, high = spans.get(word, (start, end))
                spans[word] = min(low, start), max(high, end)
        # Words are numbered anew: those whose tokens were cut off can't be seen here.
        numbers, whole = _join_marked(text, spans)
        words = tuple(text[slice(*span)].strip() or text[slice(*span)] for span in whole)
        word_ids = tuple(None if word is None else numbers.get(word) for word in encoding.word_ids)
        return self._checked(words, encoding, truncated, None, word_ids)

    def _tokenize(self, text: Any, *, split: bool) -> tuple[Any, bool]:
        backend = self.tokenizer(text, is_split_into_words=split, truncation=False, verbose=False).encodings[0]
        if self.max_length is None or len(backend.ids) <= self.max_length:
            return backend, False
        cut = self.tokenizer(text, is_split_into_words=split, truncation=True, max_length=self.max_length)
        return cut.encodings[0], True

    def _checked(
        self, words: tuple[str, ...], encoding: Any, cut: bool, number: int | None, word_ids: tuple[int | None, ...]
    ) -> EncodedWords:
        if all(word is None for word in word_ids):
            which = "A text" if number is None else f"Text {number}"
            raise ValueError(f"{which} of {self.caller} has no token but special ones. Drop it first.")
        return EncodedWords(words, tuple(encoding.ids), word_ids, truncated=cut)


def _join_marked(text: str, spans: Mapping[int, tuple[int, int]]) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Return the number of each word of a tokenizer, and spans of words; it may part a vowel sign from its letter."""
    marked = marked_spans(text)
    numbers: dict[int, int] = {}
    whole: list[tuple[int, int]] = []
    place, reach = 0, 0  # reach: where the last marked span that touches the word before ends
    for word in sorted(spans):
        low, high = spans[word]
        joined = bool(whole) and low < reach
        while place < len(marked) and marked[place][0] < high:
            start, end = marked[place]
            if end > low:
                low, high, reach = min(low, start), max(high, end), end
            place += 1
        if joined:
            low, high = whole[-1][0], max(high, whole.pop()[1])
        numbers[word] = len(whole)
        whole.append((low, high))
    return numbers, whole


def _loses_blanks(tokenizer: Any) -> bool:
    """Whether words that come one by one lose the blank before them, by which byte-level tokenizers tell words."""
    pre_tokenizer = tokenizer.backend_tokenizer.pre_tokenizer
    if pre_tokenizer is None:
        return False
    state = json.loads(pre_tokenizer.__getstate__())
    parts = state.get("pretokenizers", [state])
    return any(part["type"] == "ByteLevel" and not part["add_prefix_space"] for part in parts)


def collate(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of token ids, filled up on the right, and their attention mask: two (n_rows, n_tokens) of int64."""
    import torch

    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[place, : len(row)] = 1
    return ids, mask
