// Elements of the page. Whatever comes from the trace becomes text, never markup.

export const byId = id => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "click") made.addEventListener("click", value);
    else if (key === "colour") made.style.background = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

export const button = (text, click, more = {}) => element("button", {type: "button", click, ...more}, text);

// Tells who does not see the page what happened.
export function say(text) {
  byId("live").textContent = text;
}

export function section(title, ...children) {
  return element("section", {}, element("h2", {}, ...[title].flat()), ...children);
}

// Terms and what they are; those without a value are left out.
export function pairs(rows) {
  return element(
    "dl",
    {},
    ...rows
      .filter(([, value]) => value !== null && value !== "")
      .flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]),
  );
}

// A row of a table, of texts or elements.
export function row(cells) {
  return element("tr", {}, ...cells.map(cell => element("td", {}, cell)));
}

// A table with a head and rows.
export function table(head, rows) {
  const cells = head.map(text => element("th", {scope: "col"}, text));
  return element("table", {}, element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...rows));
}
