// @ts-check
/** The factors that place_weights gives the places of a model; the node reads the same text when it runs. */

/**
 * A factor for each place; null for a text that the node would refuse.
 * @param {string} text numbers spread from the first place to the last, and items such as 3=0
 * @param {number} places
 * @returns {number[] | null}
 */
export function factorsOf(text, places) {
  const items = itemsOf(text);
  const points = items.filter((item) => !item.includes("=")).map(Number);
  if (points.length > places) return null;
  const factors = points.length ? spread(points, places) : Array(places).fill(1);
  for (const item of items.filter((one) => one.includes("="))) {
    const [name, value] = item.split("=", 2).map((part) => part.trim());
    if (!/^\d+$/.test(name) || Number(name) >= places || value === "") return null;
    factors[Number(name)] = Number(value);
  }
  return factors.every((factor) => Math.abs(factor) <= 100) ? factors : null;
}

/**
 * The text with another factor at one place.
 * @param {string} text
 * @param {number} place
 * @param {number} factor
 */
export function withFactor(text, place, factor) {
  const others = itemsOf(text).filter((item) => Number(item.split("=")[0]) !== place || !item.includes("="));
  return [...others, `${place}=${Number(factor.toFixed(2))}`].join(", ");
}

/** @param {string} text */
function itemsOf(text) {
  return text
    .split(/[,;]/)
    .map((item) => item.trim())
    .filter(Boolean);
}

/**
 * @param {number[]} points
 * @param {number} places
 */
function spread(points, places) {
  return Array.from({ length: places }, (_, place) => {
    if (points.length === 1 || places === 1) return points[0];
    const at = (place * (points.length - 1)) / (places - 1);
    const left = Math.min(Math.floor(at), points.length - 2);
    return points[left] + (points[left + 1] - points[left]) * (at - left);
  });
}
