// @ts-check
/** The text of the labels widget: a line for each picture, in the order in which the pictures were given. Pure. */

/**
 * @typedef {object} ReportCell a cell of the report, as far as it is read here
 * @property {string} label
 * @property {number} [index] place among the pictures as they were given; older sheets lack it
 */

/**
 * The lines of the widget as the node reads them: an empty widget has none, one line break at the end is no line.
 * @param {string} text
 * @returns {string[]}
 */
export function linesOf(text) {
  const plain = text.replaceAll("\r\n", "\n");
  return plain ? plain.replace(/\n$/, "").split("\n") : [];
}

/**
 * The widget's text for these lines, so that the node reads them again.
 * @param {string[]} lines
 * @returns {string}
 */
export function textOf(lines) {
  const text = lines.join("\n");
  // the node takes a last line break for the end of the text
  return lines[lines.length - 1] === "" ? `${text}\n` : text;
}

/**
 * A label in one line, its line breaks written as \n, which the node turns into breaks.
 * @param {string} label
 * @returns {string}
 */
export function asLine(label) {
  return label.replace(/\r\n?|\n/g, "\\n");
}

/**
 * A label as people see it.
 * @param {string} line
 * @returns {string}
 */
export function asLabel(line) {
  return line.replaceAll("\\n", "\n");
}

/**
 * One line for each picture: what the widget says, and for pictures of which it says nothing what the sheet shows.
 * @param {string} text the widget's
 * @param {ReportCell[]} cells
 * @param {number} count pictures that were given
 * @returns {string[]}
 */
export function allLines(text, cells, count) {
  const given = linesOf(text);
  const shown = Array.from({ length: countOf(cells, count) }, () => "");
  for (const cell of cells) if (cell.index !== undefined) shown[cell.index] = asLine(cell.label);
  // a single line goes to all pictures
  if (given.length === 1) return shown.map(() => given[0]);
  return shown.map((label, index) => given[index] ?? label).concat(given.slice(shown.length));
}

/**
 * @param {ReportCell[]} cells
 * @param {number} count
 */
function countOf(cells, count) {
  return Math.max(Number.isInteger(count) ? count : 0, ...cells.map((cell) => (cell.index ?? -1) + 1));
}
