// @ts-check
/** A planned page as an SVG drawing: boxes of cells, pictures and labels, and the texts of the page. */

/** @typedef {import("./plans.mjs").Plan} Plan */
/** @typedef {import("./plans.mjs").Page} Page */
/** @typedef {import("./plans.mjs").Cell} Cell */
/** @typedef {import("./plans.mjs").Box} Box */
/** @typedef {Record<string, string | number>} Attributes */
/**
 * @typedef {object} Text
 * @property {string} text
 * @property {Box} box
 * @property {number} size
 * @property {string} fill
 * @property {string} side of the box: left, center or right
 * @property {boolean} [bold]
 * @property {string} [outline] its colour
 * @property {number} [width] of the outline
 */

const SVG = "http://www.w3.org/2000/svg";
/** The size at which drawings are usually seen, in pixels of the screen. */
const SCREEN_SIZE = { width: 320, height: 200 };
/** Smaller text, in pixels of the screen, is drawn as a bar. */
const MIN_TEXT_SIZE = 5;
/** Cells whose labels are drawn as text, and as bars. */
const MAX_TEXTS = 150;
const MAX_BARS = 600;
/** Colours of the example pictures. */
const HUES = [205, 28, 145, 265, 350, 55, 180, 320];
/** Lines of text, in heights of letters. */
const LINE = 1.2;
/** @type {Record<string, string>} */
const ANCHORS = { left: "start", center: "middle", right: "end" };

/**
 * @param {Plan} plan
 * @param {Page} page
 * @returns {SVGElement}
 */
export function drawPage(plan, page) {
  const scale = Math.min(SCREEN_SIZE.width / page.width, SCREEN_SIZE.height / page.height);
  const svg = draw("svg", { viewBox: `0 0 ${page.width} ${page.height}`, preserveAspectRatio: "xMidYMid meet" });
  svg.append(
    draw("rect", {
      width: page.width,
      height: page.height,
      fill: plan.colors.page === "transparent" ? "none" : plan.colors.page,
    }),
  );
  const isText = scale * plan.font_size >= MIN_TEXT_SIZE && page.cells.length <= MAX_TEXTS;
  const hasLabels = page.cells.length <= MAX_BARS;
  page.cells.forEach((cell, i) =>
    svg.append(...drawCell(plan, cell, i, scale), ...(hasLabels ? drawLabel(plan, cell, isText) : [])),
  );
  for (const { text, box, size, side, color, bold } of page.texts) {
    const drawn = { text, box, size, fill: color, side, bold };
    svg.append(scale * size >= MIN_TEXT_SIZE ? drawText(drawn, "middle") : drawBar(drawn, "middle"));
  }
  return svg;
}

/**
 * @param {Plan} plan
 * @param {Cell} cell
 * @param {number} place
 * @param {number} scale
 */
function drawCell(plan, { area, image_box: image }, place, scale) {
  const parts = [];
  if (plan.colors.pad) parts.push(drawRect(area, { fill: plan.colors.pad }));
  /** @type {Attributes} */
  const border = plan.border_width
    ? { stroke: plan.colors.border, "stroke-width": Math.max(plan.border_width, 1 / scale) }
    : {};
  parts.push(drawRect(image, { fill: `hsl(${HUES[place % HUES.length]} 32% ${44 + 6 * (place % 3)}%)`, ...border }));
  return parts;
}

/**
 * @param {Plan} plan
 * @param {Cell} cell
 * @param {boolean} isText
 */
function drawLabel(plan, cell, isText) {
  if (!cell.label || !cell.label_box[3]) return [];
  const text = {
    text: cell.label,
    box: cell.label_box,
    size: plan.font_size,
    fill: plan.colors.label,
    side: plan.label_align,
  };
  const isOver = plan.label_position === "over";
  const position = isOver || plan.label_position === "above" ? "bottom" : "top";
  if (!isText) return [drawBar(text, position)];
  return [
    drawText(
      { ...text, outline: isOver && plan.outline_width ? plan.colors.outline : "", width: plan.outline_width },
      position,
    ),
  ];
}

/**
 * Lines of text, cut off at the edges of their box.
 * @param {Text} text
 * @param {"top" | "middle" | "bottom"} position
 */
function drawText({ text, box: [x, y, w, h], size, fill, side, bold, outline, width = 0 }, position) {
  const lines = text.split("\n").slice(0, Math.max(1, Math.floor(h / (size * LINE))));
  const frame = draw("svg", { x, y, width: w, height: Math.max(h, 1), overflow: "hidden" });
  const rest = (lines.length - 1) * size * LINE;
  const middle = h / 2 + size * 0.35 - rest / 2;
  const first = position === "bottom" ? h - size * 0.3 - rest : position === "top" ? size : middle;
  const across = side === "left" ? 0 : side === "right" ? w : w / 2;
  /** @type {Attributes} */
  const stroke = outline
    ? { stroke: outline, "stroke-width": 2 * width, "paint-order": "stroke", "stroke-linejoin": "round" }
    : {};
  lines.forEach((line, i) => {
    const element = draw("text", {
      x: across,
      y: first + i * size * LINE,
      "font-size": size,
      fill,
      "text-anchor": ANCHORS[side] ?? "middle",
      "font-weight": bold ? 700 : 400,
      ...stroke,
    });
    element.textContent = line;
    frame.append(element);
  });
  return frame;
}

/**
 * A bar in the place of text that would be too small to read.
 * @param {Text} text
 * @param {"top" | "middle" | "bottom"} position
 */
function drawBar({ text, box: [x, y, w, h], size, fill, side }, position) {
  const length = Math.min(w, Math.max(size, (text.split("\n")[0].length * size) / 2));
  const left = side === "left" ? x : side === "right" ? x + w - length : x + (w - length) / 2;
  const middle = y + h / 2 - size * 0.3;
  const top = position === "bottom" ? y + h - size : position === "top" ? y + size * 0.3 : middle;
  const bar = drawRect([left, top, length, size * 0.6], { fill, opacity: 0.85 });
  const title = draw("title", {});
  title.textContent = text;
  bar.append(title);
  return bar;
}

/**
 * @param {Box} box
 * @param {Attributes} attributes
 */
function drawRect([x, y, width, height], attributes) {
  return draw("rect", { x, y, width, height, ...attributes });
}

/**
 * @param {string} tag
 * @param {Attributes} attributes
 * @returns {SVGElement}
 */
function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return /** @type {SVGElement} */ (element);
}
