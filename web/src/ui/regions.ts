/** Moves the focus to the next of the page's regions, which carry `data-region`. */
export function nextRegion(direction: -1 | 1): void {
  const regions = [...document.querySelectorAll<HTMLElement>('[data-region]')];
  const current = regions.findIndex((region) => region.contains(document.activeElement));
  const next = regions.at(
    (current + direction + (current < 0 && direction < 0 ? 1 : 0)) % regions.length,
  );
  const text = next?.querySelector<HTMLElement>('[contenteditable="true"]');
  (text ?? next)?.focus();
}
