// @ts-check
/** A planned page as an SVG drawing: boxes of cells, pictures and labels, and the texts of the page. */

/** @typedef {import("./ask.mjs").Plan} Plan */
/** @typedef {import("./ask.mjs").Page} Page */
/** @typedef {import("./ask.mjs").Cell} Cell */
/** @typedef {import("./ask.mjs").Box} Box */

const SVG = "http://www.w3.org/2000/svg";
/** About the size at which drawings are seen, in pixels of the screen. */
const SEEN = { width: 320, height: 200 };
/** Text that would be smaller is drawn as a bar. */
const READABLE = 5;
/** Cells whose labels are drawn as text, and as bars, at most. */
const MOST_TEXTS = 150;
const MOST_BARS = 600;
/** Example pictures, as hue and lightness. */
const HUES = [205, 28, 145, 265, 350, 55, 180, 320];
const SIDES = { left: "start", center: "middle", right: "end" };

/**
 * @param {Plan} plan
 * @param {Page} page
 * @returns {SVGSVGElement}
 */
export function drawPage(plan, page) {
  const scale = Math.min(SEEN.width / page.width, SEEN.height / page.height);
  const svg = /** @type {SVGSVGElement} */ (draw("svg", { viewBox: `0 0 ${page.width} ${page.height}`, preserveAspectRatio: "xMidYMid meet" }));
  svg.append(draw("rect", { width: page.width, height: page.height, fill: plan.colors.page === "transparent" ? "none" : plan.colors.page }));
  const isText = scale * plan.font_size >= READABLE && page.cells.length <= MOST_TEXTS;
  const hasLabels = page.cells.length <= MOST_BARS;
  page.cells.forEach((cell, i) => svg.append(...drawCell(plan, cell, i, scale), ...(hasLabels ? drawLabel(plan, cell, isText) : [])));
  for (const text of page.texts) {
    const side = text.kind === "row" ? "right" : text.kind === "legend" ? "left" : "center";
    const given = { text: text.text, box: text.box, size: text.size, fill: plan.colors.text, side };
    svg.append(...(scale * text.size >= READABLE ? drawText(given, "middle") : drawBar(given, "middle")));
  }
  return svg;
}

/**
 * @param {Plan} plan
 * @param {Cell} cell
 * @param {number} place
 * @param {number} scale
 */
function drawCell(plan, { box, image_box: image, label_box: label }, place, scale) {
  const parts = [];
  const strip = plan.label_position === "below" || plan.label_position === "above" ? label[3] : 0;
  const top = plan.label_position === "above" ? box[1] + strip : box[1];
  if (plan.colors.pad) parts.push(rectangle([box[0], top, box[2], box[3] - strip], { fill: plan.colors.pad }));
  /** @type {Record<string, string | number>} */
  const line = plan.border_width ? { stroke: plan.colors.border, "stroke-width": Math.max(plan.border_width, 1 / scale) } : {};
  parts.push(rectangle(image, { fill: `hsl(${HUES[place % HUES.length]} 32% ${44 + 6 * (place % 3)}%)`, ...line }));
  return parts;
}

/**
 * @param {Plan} plan
 * @param {Cell} cell
 * @param {boolean} isText
 */
function drawLabel(plan, cell, isText) {
  if (!cell.label || !cell.label_box[3]) return [];
  const given = { text: cell.label, box: cell.label_box, size: plan.font_size, fill: plan.colors.label, side: plan.label_align };
  const over = plan.label_position === "over";
  const at = over ? "bottom" : "middle";
  if (!isText) return drawBar(given, at);
  return drawText({ ...given, outline: over && plan.outline_width ? plan.colors.outline : "", width: plan.outline_width }, at);
}

/**
 * @typedef {{text: string, box: Box, size: number, fill: string, side: string, outline?: string, width?: number}} Given
 */

/**
 * Lines of text, cut off at the edges of their box.
 * @param {Given} given
 * @param {"middle" | "bottom"} at
 */
function drawText({ text, box, size, fill, side, outline, width = 0 }, at) {
  const [x, y, w, h] = box;
  const lines = text.split("\n").slice(0, Math.max(1, Math.floor(h / (size * 1.2))));
  const frame = draw("svg", { x, y, width: w, height: Math.max(h, 1), overflow: "hidden" });
  const first = at === "bottom" ? h - size * 0.3 - (lines.length - 1) * size * 1.2 : h / 2 + size * 0.35 - ((lines.length - 1) * size * 1.2) / 2;
  const anchor = /** @type {Record<string, string>} */ (SIDES)[side] ?? "middle";
  const across = side === "left" ? 0 : side === "right" ? w : w / 2;
  /** @type {Record<string, string | number>} */
  const look = outline ? { stroke: outline, "stroke-width": 2 * width, "paint-order": "stroke", "stroke-linejoin": "round" } : {};
  lines.forEach((line, i) => {
    const element = draw("text", { x: across, y: first + i * size * 1.2, "font-size": size, fill, "text-anchor": anchor, ...look });
    element.textContent = line;
    frame.append(element);
  });
  return [frame];
}

/**
 * Where text stands that is too small to be read.
 * @param {Given} given
 * @param {"middle" | "bottom"} at
 */
function drawBar({ text, box: [x, y, w, h], size, fill, side }, at) {
  const length = Math.min(w, Math.max(size, (text.split("\n")[0].length * size) / 2));
  const left = side === "left" ? x : side === "right" ? x + w - length : x + (w - length) / 2;
  const top = at === "bottom" ? y + h - size : y + h / 2 - size * 0.3;
  const bar = rectangle([left, top, length, size * 0.6], { fill, opacity: 0.85 });
  const tip = draw("title", {});
  tip.textContent = text;
  bar.append(tip);
  return [bar];
}

/**
 * @param {Box} box
 * @param {Record<string, string | number>} look
 */
function rectangle([x, y, width, height], look) {
  return draw("rect", { x, y, width, height, ...look });
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElement}
 */
function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
