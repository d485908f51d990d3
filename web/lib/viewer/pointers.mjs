// @ts-check
/** Mouse, pen and fingers on a page: panning, zooming with the wheel or two fingers, clicks, and hovering. */
import { wheelFactor } from "./geometry.mjs";

/** @typedef {import("./geometry.mjs").Point} Point */
/**
 * @typedef {object} Listeners points are in pixels of the element
 * @property {(by: Point) => void} pan
 * @property {(point: Point, factor: number) => void} zoom
 * @property {(point: Point, event: PointerEvent) => void} click
 * @property {(point: Point | null) => void} hover null when the pointer has left
 */

/** Pixels by which a pointer may move in a click. */
const CLICK_DISTANCE = 4;

/**
 * @param {HTMLElement} element
 * @param {Listeners} listeners
 */
export function followPointers(element, listeners) {
  /** @type {Map<number, Point>} */
  const down = new Map();
  let distanceMoved = 0;

  element.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    if (!down.size) distanceMoved = 0;
    down.set(event.pointerId, pointOf(element, event));
    element.setPointerCapture(event.pointerId);
    if (event.button === 1) event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    const now = pointOf(element, event);
    if (!before) return listeners.hover(now);
    const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    down.set(event.pointerId, now);
    distanceMoved += distance(before, now);
    if (other) return pinch(other, before, now, listeners);
    if (distanceMoved > CLICK_DISTANCE) listeners.pan({ x: now.x - before.x, y: now.y - before.y });
  });
  element.addEventListener("pointerup", (event) => {
    const isOnly = down.size === 1;
    const isClick = down.delete(event.pointerId) && isOnly && distanceMoved <= CLICK_DISTANCE && event.button === 0;
    if (isClick) listeners.click(pointOf(element, event), event);
  });
  element.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  element.addEventListener("pointerleave", () => down.size || listeners.hover(null));
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      listeners.zoom(pointOf(element, event), wheelFactor(event));
    },
    { passive: false },
  );
}

/**
 * One of two fingers has moved.
 * @param {Point} other the finger that has not
 * @param {Point} before
 * @param {Point} now
 * @param {Listeners} listeners
 */
function pinch(other, before, now, listeners) {
  const middle = { x: (other.x + now.x) / 2, y: (other.y + now.y) / 2 };
  listeners.pan({ x: (now.x - before.x) / 2, y: (now.y - before.y) / 2 });
  listeners.zoom(middle, Math.max(1, distance(other, now)) / Math.max(1, distance(other, before)));
}

/**
 * @param {HTMLElement} element
 * @param {MouseEvent} event
 * @returns {Point}
 */
function pointOf(element, event) {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/**
 * @param {Point} a
 * @param {Point} b
 */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
