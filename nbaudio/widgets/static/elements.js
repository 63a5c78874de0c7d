// Elements made in one call. Text is always a text node: nothing that a model answers is read as HTML.

/**
 * @typedef {string | number | boolean | null | undefined} Value  true is an attribute without a value; false, null and
 *   undefined leave it out
 */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, Value>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) put(element, key, value);
  element.append(...children);
  return element;
}

/**
 * Sets an attribute where it is not so already: setting it again would wake screen readers and observers.
 * @param {Element} element
 * @param {string} key
 * @param {Value} value
 */
export function put(element, key, value) {
  const text = value === true ? "" : value === false || value == null ? null : String(value);
  if (element.getAttribute(key) === text) return;
  if (text === null) element.removeAttribute(key);
  else element.setAttribute(key, text);
}

/**
 * Sets an element's text where it is not so already.
 * @param {Node} node
 * @param {string} text
 */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A sign of 24 by 24 units in the colour of the text beside it, which says nothing to a screen reader.
 * @param {string} path  SVG path data
 * @returns {SVGSVGElement}
 */
export function sign(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" })) {
    svg.setAttribute(key, value);
  }
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  redraw(svg, path);
  return svg;
}

/**
 * @param {SVGSVGElement} svg  made by `sign`
 * @param {string} path
 */
export function redraw(svg, path) {
  put(/** @type {SVGPathElement} */ (svg.firstChild), "d", path);
}

/**
 * A button of a chat.
 * @param {string} label
 * @param {string} title
 * @param {Record<string, boolean>} [marks]
 */
export function button(label, title, marks = {}) {
  return make("button", { type: "button", class: "nbaudio-chat-button", title, ...marks }, label);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} shown
 */
export function show(element, shown) {
  put(element, "hidden", !shown);
}
