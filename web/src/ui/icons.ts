/** The page's icons: strokes on a 20 by 20 grid, drawn for coscribe. */
export const icons = {
  list: 'M3 5.5h14M3 10h14M3 14.5h9',
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  link: 'M8.5 11.5l3-3M9.5 6l1.8-1.8a3.2 3.2 0 0 1 4.5 4.5L14 10.5M10.5 14l-1.8 1.8a3.2 3.2 0 0 1-4.5-4.5L6 9.5',
  keyboard: 'M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6.5 11.5h7',
  bold: 'M6 4h4.5a3 3 0 0 1 0 6H6zM6 10h5.2a3 3 0 0 1 0 6H6z',
  italic: 'M8.5 4H14M6 16h5.5M11.5 4l-3 12',
  underline: 'M6 4v5a4 4 0 0 0 8 0V4M5 16.5h10',
  strike:
    'M4 10h12M13.5 6.2C12.8 4.8 11.5 4 10 4 8 4 6.5 5.2 6.5 6.9M6.5 13.5C7.2 15.2 8.5 16 10.2 16c2 0 3.5-1.2 3.5-2.9',
  code: 'M7 6l-4 4 4 4M13 6l4 4-4 4',
  paragraph: 'M4 6h12M8 6v0M10 6v10',
  heading1: 'M3 5v10M9.5 5v10M3 10h6.5M13 8l3-2v9',
  heading2:
    'M3 5v10M9.5 5v10M3 10h6.5M12.6 8c.2-1.3 1-2 2.2-2 1.2 0 2.1.8 2.1 1.9 0 1.9-4.3 4-4.3 7.1h4.4',
  heading3:
    'M3 5v10M9.5 5v10M3 10h6.5M12.8 6.3h4l-2.3 3.2c1.6 0 2.6 1 2.6 2.5 0 1.7-1.1 3-2.6 3-1 0-1.7-.4-2.1-1.1',
  bulletList: 'M8 5.500h9M8 10h9M8 14.500h9M4 5.500h.01M4 10h.01M4 14.500h.01',
  orderedList:
    'M9 5.500h8M9 10h8M9 14.500h8M3.5 4.500l1.3-.8v4.100M3.4 12.400c.2-.7.8-1 1.4-1 .8 0 1.3.5 1.3 1.1 0 1.1-2.6 2-2.6 3.500h2.8',
  taskList: 'M3 4h5v5H3zM4.3 6.500l.9.9 1.7-2M3 11.500h5v5H3zM11 6.500h6M11 14h6',
  quote: 'M4 5v10M8 6.500h9M8 10h9M8 13.500h6',
  codeBlock: 'M3 4h14v12H3zM8 8l-2 2 2 2M12 8l2 2-2 2',
  table: 'M3 4h14v12H3zM3 8h14M3 12h14M8 4v12',
  rule: 'M3 10h14M5 6h10M5 14h10',
  undo: 'M7 5L3.5 8.5 7 12M3.5 8.500H12a4.5 4.5 0 0 1 0 7.500H8',
  redo: 'M13 5l3.5 3.500L13 12M16.5 8.500H8a4.5 4.5 0 0 0 0 7.500h4',
  open: 'M8 5H4v11h11v-4M11 4h5v5M16 4l-7 7',
  rowAdd: 'M3 4h14v5H3zM10 12v5M7.5 14.500h5',
  columnAdd: 'M4 3h5v14H4zM12 10h5M14.5 7.500v5',
  rowRemove: 'M3 4h14v5H3zM7.5 14.500h5',
  columnRemove: 'M4 3h5v14H4zM12 10h5',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.7 10.500h7.600L14.5 6M8.5 9v5M11.5 9v5',
} as const;

/** A name in the sprite. */
export type IconName = keyof typeof icons;
