// @ts-check
/** Mouse, pen and fingers on a stage: panning, zooming with wheel and two fingers, clicks and what the pointer is over. */
import { wheelFactor } from "./zoom.mjs";

/** @typedef {{x: number, y: number}} Point in the stage */
/**
 * @typedef {object} Answers
 * @property {(by: Point) => void} pan
 * @property {(point: Point, factor: number) => void} zoom
 * @property {(point: Point, event: PointerEvent) => void} click
 * @property {(point: Point | null) => void} over
 */

/** Pixels that a pointer may slip in a click. */
const SLIP = 4;

/**
 * @param {HTMLElement} stage
 * @param {Answers} answers
 */
export function followPointers(stage, answers) {
  /** @type {Map<number, Point>} */
  const down = new Map();
  let slipped = 0;

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    if (!down.size) slipped = 0;
    down.set(event.pointerId, at(stage, event));
    stage.setPointerCapture(event.pointerId);
    if (event.button === 1) event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    const now = at(stage, event);
    if (!before) return answers.over(now);
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    down.set(event.pointerId, now);
    slipped += distance(before, now);
    if (others.length) return pinch(others[0], before, now, answers);
    if (slipped > SLIP) answers.pan({ x: now.x - before.x, y: now.y - before.y });
  });
  stage.addEventListener("pointerup", (event) => {
    const alone = down.size === 1;
    if (down.delete(event.pointerId) && alone && slipped <= SLIP && event.button === 0) answers.click(at(stage, event), event);
  });
  stage.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  stage.addEventListener("pointerleave", () => down.size || answers.over(null));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    answers.zoom(at(stage, event), wheelFactor(event));
  }, { passive: false });
}

/**
 * @param {Point} still
 * @param {Point} before
 * @param {Point} now
 * @param {Answers} answers
 */
function pinch(still, before, now, answers) {
  const middle = { x: (still.x + now.x) / 2, y: (still.y + now.y) / 2 };
  answers.pan({ x: (now.x - before.x) / 2, y: (now.y - before.y) / 2 });
  answers.zoom(middle, Math.max(1, distance(still, now)) / Math.max(1, distance(still, before)));
}

/**
 * @param {HTMLElement} stage
 * @param {MouseEvent} event
 * @returns {Point}
 */
function at(stage, event) {
  const { left, top } = stage.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/**
 * @param {Point} a
 * @param {Point} b
 */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
