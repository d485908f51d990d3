// @ts-check
/** What our extensions tell each other on the page. */

/** On window: the user has chosen another number of decimals. */
export const DECIMALS_CHANGED = "clip_grid.decimals_changed";
