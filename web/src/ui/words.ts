/** Every sentence the page says. Short, plain, no exclamation marks; buttons are verbs. */
import type { SaveState } from '../net/saveState';

const isApple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** The catalogue. */
export const words = {
  app: 'coscribe',
  skipToText: 'Skip to the text',
  skipToNotes: 'Skip to your notes',
  close: 'Close',
  cancel: 'Cancel',
  undo: 'Undo',
  mod: isApple ? '⌘' : 'Ctrl',

  home: {
    title: 'Your notes',
    newNote: 'New note',
    empty: 'No notes yet. Your first one is a click away.',
    here: 'Notes opened on this device',
    untitled: 'Untitled note',
    unsaved: 'Has text that only this device has',
    remove: (title: string) => `Remove “${title}” from this device`,
    you: (name: string) => `You are ${name}`,
  },

  remove: {
    title: 'Remove from this device?',
    text: (title: string) =>
      `“${title}” leaves this list and this device. The note itself stays on the server, under its link.`,
    unsaved: 'The server does not have everything you wrote in it. That text would be lost.',
    confirm: 'Remove',
    failed: 'The note could not be removed. Close its other tabs and try again.',
  },

  note: {
    titleLabel: 'Title',
    titlePlaceholder: 'Untitled',
    textLabel: (title: string) => `Text of ${title === '' ? 'this note' : title}`,
    placeholder: 'Write, or press / for blocks',
    list: 'Notes on this device',
    showList: 'Show the list of notes',
    hideList: 'Hide the list of notes',
    copyLink: 'Copy link',
    linkCopied: 'Link copied. Anyone who can reach this server can open the note with it.',
    linkNotCopied: 'The link could not be copied. It is in the address bar.',
    opening: 'Opening the note',
    readOnly: 'Read only',
    tryNow: 'Try now',
    shortcuts: 'Keyboard shortcuts',
    failedTitle: 'This page could not be loaded',
    failedText: 'What you wrote is safe. Check the connection and load the page again.',
    reload: 'Load again',
  },

  save: (state: SaveState): string => {
    switch (state.kind) {
      case 'opening':
        return 'Opening…';
      case 'saving':
        return 'Saving…';
      case 'saved':
        return 'Saved';
      case 'readOnly':
        return 'Read only';
      case 'offline':
        return state.kept ? 'Offline: kept on this device' : 'Offline: not kept on this device';
      case 'notSaved':
        return state.reason === null
          ? 'Not saved: the server cannot store right now'
          : `Not saved: ${state.reason}`;
      default:
        return state satisfies never;
    }
  },

  banner: {
    cannotStore: (kept: boolean) =>
      kept
        ? 'The server cannot store right now. Your text is kept on this device and is sent again by itself.'
        : 'The server cannot store right now, and this device keeps nothing. Leave this tab open, or copy your text.',
    refused: (reason: string, kept: boolean) =>
      kept
        ? `The server does not take this note: ${reason}. Your text is kept on this device.`
        : `The server does not take this note: ${reason}. This device keeps nothing: copy your text before you leave.`,
    noDevice:
      'This browser keeps nothing for this page. What you write without a connection is lost when you close the tab.',
    deviceFailed:
      'This device could not keep the last change. What you write without a connection may be lost when you close the tab.',
    dismiss: 'Dismiss',
  },

  foreign: {
    title: 'This note can only be read here',
    text: (names: string) =>
      `It holds content that this editor does not know (${names}). Nothing is changed or lost; open it with the editor that wrote it, or load this page again after an update.`,
    unknown: (name: string) => `Unknown content: ${name}`,
  },

  people: {
    list: 'People in this note',
    more: (count: number) => `and ${count} more`,
    jump: (name: string) => `Go to where ${name} is writing`,
  },

  person: {
    title: 'You, as others see you',
    name: 'Name',
    color: 'Colour',
    theme: 'Appearance of this page',
    themes: { system: 'Like the device', light: 'Light', dark: 'Dark' },
    change: (name: string) => `You are ${name}. Change name, colour and appearance`,
    save: 'Done',
    another: 'Another name',
    hint: 'The name is made up. Keep it or write your own.',
  },

  editor: {
    bar: 'Format',
    bold: 'Bold',
    italic: 'Italic',
    underline: 'Underline',
    strike: 'Strike through',
    code: 'Code',
    link: 'Link',
    taskLabel: (text: string) => (text === '' ? 'Done: empty task' : `Done: ${text}`),
    blocks: {
      paragraph: 'Text',
      heading1: 'Heading 1',
      heading2: 'Heading 2',
      heading3: 'Heading 3',
      bulletList: 'Bullet list',
      orderedList: 'Numbered list',
      taskList: 'Task list',
      blockquote: 'Quote',
      codeBlock: 'Code block',
      table: 'Table',
      rule: 'Divider',
    },
    table: {
      bar: 'Table',
      addRow: 'Add row below',
      addColumn: 'Add column after',
      deleteRow: 'Delete row',
      deleteColumn: 'Delete column',
      delete: 'Delete table',
    },
    slash: 'Blocks',
    slashCount: (count: number) => (count === 1 ? '1 block' : `${count} blocks`),
    slashNone: 'No block of that name',
  },

  linkDialog: {
    title: 'Link',
    address: 'Address',
    hint: 'For example https://example.org',
    bad: 'This is no address a link can have.',
    set: 'Set link',
    remove: 'Remove link',
    open: 'Open link',
  },

  lost: {
    title: 'There is nothing here',
    text: 'The address may be wrong. Notes have addresses that begin with /n/.',
    home: 'Go to your notes',
  },
} as const;
