/* ---- texts to open, word by word ---- */
// The title of a word is for pages without scripts: here its number shows at once.
document.addEventListener("mouseover", (event) => {
  const word = event.target instanceof Element && event.target.closest(".said .word");
  if (!word) return;
  if (word.title) { word.dataset.value = word.title; word.removeAttribute("title"); }
  placeTip(word, word.querySelector("bdi").textContent, [word.dataset.value]);
  word.addEventListener("mouseleave", () => { tip.hidden = true; }, { once: true });
});
const startTold = async (here) => {
  const { $ } = here;
  const told = JSON.parse(await unpack($("told-data")));
  let toldOrder = [], toldShown = 0;
  const toldDetails = (item) => {
    const facts = make("span", "facts");
    item.facts.forEach(([label, value], i) => {
      const fact = make("span", "nobreak");
      if (label) fact.append(make("span", "quiet", label), " ");
      fact.append(value);
      facts.append(...(i ? [" · "] : []), fact);
    });
    const line = make("span", "line", item.line);
    line.dir = "auto";
    const said = saidOf(item, told.signs);
    const main = make("div", "", said, ...item.notes.map((note) => make("p", "quiet", note)));
    const body = make("div", item.near ? "pair" : "", main);
    if (item.near) {
      const text = make("p", "", item.near[0]);
      text.dir = "auto";
      body.append(make("div", "near", heading(here, "h3", `${told.beside} `, make("span", "quiet", item.near[1])), text));
    }
    const rows = item.words.map((word, k) => rowOf(word, [make("td", "num", said.children[k].dataset.value)]));
    const table = tableOf("plain", ["Word", "Attribution"], rows, `Words of row ${item.row}`);
    table.querySelectorAll("thead th")[1].className = "num";
    return make("details", "told", make("summary", "", facts, " ", line), body,
      make("details", "numbers", make("summary", "", "The numbers"), table));
  };
  const addTold = () => {
    $("told-list").append(...toldOrder.slice(toldShown, toldShown + STEP).map((i) => toldDetails(told.items[i])));
    toldShown = Math.min(toldShown + STEP, toldOrder.length);
    $("told-more").hidden = toldShown >= toldOrder.length;
  };
  const refreshTold = () => {
    const wanted = $("told-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const { key, down } = told.orders[$("told-order").selectedIndex];
    toldOrder = told.items.map((_, i) => i).filter((i) => {
      const text = `${told.items[i].row} ${told.items[i].words.join(" ")} ${told.items[i].line}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    toldOrder.sort((a, b) => (told.items[a].keys[key] - told.items[b].keys[key]) * (down ? -1 : 1) || a - b);
    $("told-list").replaceChildren();
    toldShown = 0;
    addTold();
    if ($("told-list").firstChild) $("told-list").firstChild.open = true;
    const total = told.items.length;
    $("told-count").textContent = toldOrder.length === total ? `${total} texts` : `${toldOrder.length} of ${total} texts`;
  };
  let waiting = 0;
  $("told-search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refreshTold, 120); });
  $("told-order").addEventListener("change", refreshTold);
  $("told-more").addEventListener("click", addTold);
  $("told-controls").hidden = told.items.length < 2;
  refreshTold();
};
