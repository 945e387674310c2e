/* ---- sentences of a benchmark ---- */
const startInspector = async (here) => {
  const { part, $ } = here;
  const looks = JSON.parse(await unpack($("inspect-data")));
  const unfolded = { numbers: false, all: false };
  const fold = (key, title, ...children) => {
    const details = make("details", "", make("summary", "", title), ...children);
    details.open = unfolded[key];
    details.addEventListener("toggle", () => { unfolded[key] = details.open; });
    return details;
  };
  // Pair Shapley values once where all forms have the same.
  const pairsOf = (forms) => {
    const known = forms.filter((form) => form.found.pair);
    const first = known.length ? JSON.stringify(known[0].found.pair) : "";
    if (known.length > 1 && known.every((form) => JSON.stringify(form.found.pair) === first))
      return [{ form: "", words: forms.map((form) => form.words), pair: known[0].found.pair }];
    return known.map((form) => ({ form: form.form, words: [form.words], pair: form.found.pair }));
  };
  const formsNow = () => {
    const sentence = looks.sentences[$("inspect-sentence").selectedIndex];
    const scheme = $("inspect-scheme").value;
    return sentence.forms.filter((form) => form.schemes[scheme])
      .map((form) => ({ ...form, found: form.schemes[scheme] }));
  };
  const option = (value, text) => {
    const element = make("option", "", text);
    element.value = value;
    return element;
  };
  const offerMethods = (wanted) => {
    const forms = formsNow();
    const there = looks.methods.filter((name) => forms.length && forms.every((form) => form.found.methods[name]));
    const select = $("inspect-method");
    select.replaceChildren(...there.map((name) => option(name, looks.labels[name])));
    const best = looks.best[$("inspect-scheme").value];
    select.value = there.includes(wanted) ? wanted : there.includes(best) ? best : there[0] || "";
  };
  const renderLook = () => {
    const at = $("inspect-sentence").selectedIndex;
    const sentence = looks.sentences[at];
    const scheme = $("inspect-scheme").value;
    offerMethods($("inspect-method").value);
    const method = $("inspect-method").value;
    const forms = formsNow();
    tip.hidden = true;
    $("inspect-back").disabled = at === 0;
    $("inspect-next").disabled = at === looks.sentences.length - 1;
    const why = make("span", "quiet", named(sentence.why));
    const view = make("article", "panel look", heading(here, "h3", `Sentence ${sentence.group} `, why));
    $("inspect-view").replaceChildren(view);
    if (!method) {
      view.append(make("p", "quiet", "This scheme has no attributions of this sentence."));
      return;
    }
    const values = forms.map((form) => form.found.methods[method]);
    const most = sizeOf(values);
    const pairs = pairsOf(forms);
    const pairAt = (place) => pairs.map(({ form, pair }) => (pair[place] === null || pair[place] === undefined
      ? "" : `pair Shapley${form && ` ${form}`} ${short(pair[place])}`)).filter(Boolean);
    forms.forEach((form, i) => {
      const total = values[i].reduce((sum, x) => sum + Math.abs(x), 0);
      const n = form.truth.reduce((sum, x) => sum + x, 0);
      const chance = n / form.truth.length;
      const mass = total > 0 ? values[i].reduce((sum, x, k) => sum + (form.truth[k] ? Math.abs(x) : 0), 0) / total : chance;
      const right = form.found.correct ? "right" : "wrong";
      view.append(make("p", "form", make("b", "", named(form.form)), `: probability ${decimals(form.found.p)}, ${right}; `
        + `mass accuracy ${decimals(mass)}, chance ${decimals(chance)}`));
    });
    const length = Math.max(...forms.map((form) => form.words.length));
    const places = Array.from({ length }, (_, k) => k);
    const cellsAt = (k) => forms.flatMap((form, i) => (k < form.words.length ? [chip(
      form.words[k], form.truth[k], values[i][k], most,
      [`${form.form}, word ${k + 1} of ${form.words.length}`, `attribution ${short(values[i][k])}`,
        form.truth[k] ? "changed word" : "not changed", ...pairAt(k)])] : []));
    view.append(columnsOf(places.map(cellsAt), `${looks.labels[method]} on ${scheme}`));
    for (const { form, words, pair } of pairs) {
      const size = sizeOf([pair]);
      const columns = places.filter((k) => pair[k] !== null && pair[k] !== undefined).map((k) => [
        chip(words.map((row) => row[k]).join(" / "), 1, pair[k], size, [`word ${k + 1}`, `pair Shapley ${short(pair[k])}`]),
        make("small", "", short(pair[k])),
      ]);
      view.append(make("p", "form", "Exact pair Shapley", form ? ", " : "", form ? named(form) : "", ":"),
        columnsOf(columns, "Exact pair Shapley"));
    }
    const right = (text) => make("td", "num", text);
    const numbers = places.map((k) => rowOf(String(k), [
      ...forms.flatMap((form, i) => (k < form.words.length
        ? [make("td", "", named(form.words[k]), form.truth[k] ? " ▣" : ""), right(short(values[i][k]))]
        : [right(""), right("")])),
      ...pairs.map(({ pair }) => right(short(pair[k]))),
    ]));
    const head = ["Place", ...forms.flatMap((form) => [form.form, "Attribution"]),
      ...pairs.map(({ form }) => `Pair Shapley ${form}`.trim())];
    view.append(fold("numbers", "The numbers", tableOf("plain", head, numbers, "The numbers")));
    const all = forms.map((form) => {
      const lines = looks.methods.filter((name) => form.found.methods[name]).map((name) => {
        const row = form.found.methods[name];
        const size = sizeOf([row]);
        return rowOf(looks.labels[name], row.map((x) => {
          const td = make("td", tone(x), short(x));
          td.style.setProperty("--share", size > 0 ? (Math.abs(x) / size).toFixed(2) : "0");
          return td;
        }));
      });
      const box = tableOf("grid shown", [form.form, ...form.words], lines, `All methods, ${form.form}`);
      form.truth.forEach((mark, k) => { if (mark) box.querySelectorAll("thead th")[k + 1].classList.add("true"); });
      return box;
    });
    view.append(fold("all", `All methods on this sentence, scheme ${scheme}`, ...all));
  };
  const sentences = looks.sentences.map((sentence, i) => {
    const text = sentence.forms.length ? sentence.forms[0].words.join(" ") : "";
    return option(i, `${sentence.group}: ${text.length > 60 ? `${text.slice(0, 59)}…` : text}`);
  });
  $("inspect-sentence").replaceChildren(...sentences);
  $("inspect-scheme").replaceChildren(...looks.schemes.map((name) => option(name, name)));
  for (const id of ["inspect-sentence", "inspect-scheme", "inspect-method"]) $(id).addEventListener("change", renderLook);
  for (const [id, step] of [["inspect-back", -1], ["inspect-next", 1]])
    $(id).addEventListener("click", () => { $("inspect-sentence").selectedIndex += step; renderLook(); });
  for (const button of part.querySelectorAll("button.look")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      $("inspect-sentence").selectedIndex =
        looks.sentences.findIndex((sentence) => String(sentence.group) === button.dataset.group);
      $("inspect-scheme").value = button.dataset.scheme;
      offerMethods(button.dataset.method);
      renderLook();
      $("inspector").scrollIntoView();
      $("inspect-sentence").focus({ preventScroll: true });
    });
  }
  $("inspect-controls").hidden = false;
  if (looks.sentences.length && looks.schemes.length) renderLook();
};
