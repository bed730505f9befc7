/**
 * Bars as SVG: one for each server, readable on light and dark pages, and told in words for those who do not see them.
 */
const [WIDTH, LABELS, VALUES, ROW, TOP] = [720, 190, 80, 26, 52]
const BAR = 16

/** Text for SVG; what Markdown shows as code is shown as it is. */
const escape = (text) =>
  text.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** A number with about three digits. */
export function shown(value) {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** `bars` have a name, a value (undefined: there is none) and whether they are ours. */
export function plot({ title, figure, better }, bars) {
  const most = Math.max(...bars.map(({ value }) => value ?? 0)) || 1
  const height = TOP + bars.length * ROW + 8
  const said = ({ value }) => (value === undefined ? 'none' : shown(value))
  const words = bars.map((bar) => `${bar.name} ${said(bar)}`).join('; ')
  const which = better ? (better === 'less' ? ' (less is better)' : ' (more is better)') : ''
  const rows = bars.map((bar, index) => {
    const y = TOP + index * ROW
    const width = Math.max(1, Math.round(((bar.value ?? 0) / most) * (WIDTH - LABELS - VALUES)))
    const kind = bar.ours ? 'ours' : 'other'
    return [
      `<text class="${kind}" x="${LABELS - 8}" y="${y + 13}" text-anchor="end">${escape(bar.name)}</text>`,
      bar.value === undefined
        ? ''
        : `<rect class="${kind}" x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
      `<text x="${LABELS + (bar.value === undefined ? 0 : width) + 6}" y="${y + 13}">${said(bar)}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">${escape(title)}</title>
<desc id="desc">${escape(`${figure}${which}: ${words}`)}</desc>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.ours { font-weight: 600 }
rect.ours { fill: #1a7f5a }
rect.other { fill: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  rect.ours { fill: #3fb98a }
  rect.other { fill: #6e7681 }
}
</style>
<text class="head" x="8" y="18">${escape(title)}</text>
<text x="8" y="37">${escape(figure + which)}</text>
${rows.join('\n')}
</svg>
`
}
