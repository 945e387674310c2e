"""What a file seems to be: its kind by its first bytes, and the encoding of its text."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata

# Longer marks first: that of UTF-32 (little-endian) begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_KINDS = {
    rb"\x1f\x8b": "packed with gzip: give it the ending .gz",
    rb"PK\x03\x04": "a zip archive, such as .xlsx, .docx and .npz are: unpack it, or save the table as .csv",
    rb"\xd0\xcf\x11\xe0": "an old Office file (.xls, .doc): save the table as .csv",
    rb"\x93NUMPY": "an array of NumPy: give it the ending .npy",
    rb"SQLite format 3\x00": "a SQLite database: export the table as .csv",
    rb"ARROW1\x00\x00": "an Arrow (Feather) file: save it as .parquet",
    rb"\x89HDF": "an HDF5 file: save the table as .parquet",
    rb"BZh[1-9]1AY&SY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a\x07": "packed: unpack it, or pack it with gzip",
    rb"%PDF-\d": "a PDF: save its text as .txt",
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*": "an image",
    rb"\x80[\x02-\x05][\x80-\xff\]}(ckKX]": "a pickle, which is not read, since it can run code: save it as .parquet",
    rb"\x7fELF|MZ\x90\x00": "a program",
    rb"(?i:\s*<!doctype html|\s*<html[\s>])": "a web page: save its text as .txt",
}
_LATIN = "àâäåæçèéêëìíîïñòóôöøœùúûüÿßãõáýðþš"
# For each encoding, what its letters outside ASCII mostly are. The first of the best is named.
_ENCODINGS = {
    "cp1252": f"[{_LATIN}{_LATIN.upper()}“”‘’–—…€£°«»¿¡§®™•´·©²³½ºª\xa0]",
    "mac_roman": f"[{_LATIN}“”‘’–—…€£°«»]",
    "cp850": "[àâäåæçèéêëìíîïñòóôöøùúûüÿßáãõÄÖÜÉ£¿¡]",
    "cp1250": "[áčďéěíňóřšťúůýžąćęłńóśźżăâîșțőűöüäß„”“–…€\xa0]",
    "cp1255": "[א-ת–“”]",
    "cp1251": "[а-яёіїєґА-ЯЁІЇЄҐ«»–—№„“”…\xa0]",
    "koi8-r": "[а-яёА-ЯЁ\xa0]",
    "cp1253": "[α-ωάέήίόύώςΑ-ΩΆΈΉΊΌΎΏ«»·–’]",
    "cp1256": "[\u0621-\u0652\u067e\u0686\u0698\u06af،؛؟]",
    "shift_jis": "[\u3040-\u30ff\u4e00-\u9fff。、「」！？ー・\uff10-\uff5a]",
    "euc_jp": "[\u3040-\u30ff\u4e00-\u9fff。、「」！？ー・\uff10-\uff5a]",
    "euc_kr": "[\uac00-\ud7a3。，“”‘’…·]",
    "gb18030": "[\u4e00-\u9fff。，、：；“”‘’！？（）《》…—]",
    "big5": "[\u4e00-\u9fff。，、：；「」！？（）]",
}
_SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC"}
_SAMPLE = 2**16  # bytes from which an encoding is guessed


def kind_of(data: bytes) -> str | None:
    """Return what a file of no text format seems to be, and what to do, or None."""
    if data[:4] == data[-4:] == b"PAR1":
        return "Parquet: give it the ending .parquet"
    return next((kind for start, kind in _KINDS.items() if re.match(start, data)), None)


def json_ending(data: bytes) -> str | None:
    """Return the ending of JSON, '.jsonl' or '.json', if that is what UTF-8 text seems to be."""
    start = data[:64].removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start not in (b"{", b"["):
        return None
    first, _, rest = data.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    for ending, content in ((".jsonl", first), (".json", data)):
        try:
            value = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            continue
        if ending == ".jsonl" and (isinstance(value, list) or (rest.strip() and rest.strip()[:1] != b"{")):
            continue
        return ending if value and (isinstance(value, dict) or all(isinstance(v, dict | str) for v in value)) else None
    return None


def marked_encoding(data: bytes) -> tuple[str, str] | None:
    """Return the encoding of text that is not UTF-8 as its first bytes tell, and how they do."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return encoding, f"It starts with the byte order mark of {encoding.upper()}"
    sample = data[:_SAMPLE]
    if sample.count(0) * 3 > len(sample) > 0:  # every other byte, where UTF-16 holds Latin letters
        encoding = "utf-16-be" if sample[0] == 0 else "utf-16-le"
        return encoding, "It looks like UTF-16 without a byte order mark"
    return None


def likely_encoding(data: bytes, start: int) -> str | None:
    """Return the likely encoding of text that is not UTF-8 from byte ``start`` on, or None if that is open."""
    begin = data.rfind(b"\n", 0, start) + 1
    sample = data[begin : begin + _SAMPLE]
    end = sample.rfind(b"\n")
    sample = sample[: end + 1] if end > start - begin else sample
    scores = {encoding: _score(sample, encoding, letters) for encoding, letters in _ENCODINGS.items()}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] > 0.6 else None


def _score(sample: bytes, encoding: str, letters: str) -> float:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return 0.0
    outside = re.sub(r"[\x00-\x7f]+", "", text)
    if not outside:
        return 0.0
    words = re.findall(r"[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*", text)
    wrong = sum(map(_is_implausible, words)) / max(len(words), 1)
    if encoding in {"shift_jis", "euc_jp"} and not re.search("[\u3040-\u30ff]", text):
        wrong += 0.5  # Japanese without kana
    if encoding == "cp1252" and "ø" in text and re.search("[ìèùï]", text):
        wrong += 0.2  # Danish and Italian letters in one text: Czech in cp1250
    return len(re.findall(letters, outside)) / len(outside) - wrong


def _is_implausible(word: str) -> bool:
    """Return whether upper case follows lower case, scripts are mixed, or all letters are accented ones."""
    cases = "".join("a" if letter.islower() else "A" if letter.isupper() else "-" for letter in word)
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in word} & _SCRIPTS
    accented = scripts == {"LATIN"} and len(word) > 2 and not re.search("[A-Za-z]", word)
    return "aA" in cases or len(scripts) > 1 or accented


def is_mostly_utf8(data: bytes, start: int) -> bool:
    """Return whether text that is not UTF-8 at byte ``start`` is so elsewhere: it is damaged, or of two encodings."""
    text = (data[max(0, start - _SAMPLE) : start + _SAMPLE]).decode("utf-8", "replace")
    outside = re.sub(r"[\x00-\x7f]+", "", text)
    return outside.count("\ufffd") * 2 < len(outside)
