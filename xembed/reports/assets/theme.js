// Texts reach the page by textContent only: nothing in them is ever read as markup.
const byId = (id) => document.getElementById(id);
const root = document.documentElement;

const bytes = (element) => Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
const unpack = async (element) =>
  new Response(new Blob([bytes(element)]).stream().pipeThrough(new DecompressionStream("gzip"))).text();

/* ---- theme ---- */
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const isDark = () =>
  !printing && (root.classList.contains("dark") || (prefersDark.matches && !root.classList.contains("light")));
const color = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const themeButton = byId("theme");
const onTheme = () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  for (const plot of plots) Plotly.update(plot, traceColors(plot), layoutColors(plot));
};
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const dark = !isDark();
  root.classList.toggle("dark", dark);
  root.classList.toggle("light", !dark);
  onTheme();
});
prefersDark.addEventListener("change", () => onTheme());
