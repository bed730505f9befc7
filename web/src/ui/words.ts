/** Every sentence the page says. Short, plain, no exclamation marks; buttons are verbs. */
import type { ApiFault } from '../api/call';
import type { LinkLevel } from '../api/links';
import type { Denial } from '../net/denial';
import type { SaveState } from '../net/saveState';

const isApple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** What happened, and what to do. */
interface Sentences {
  readonly title: string;
  readonly text: string;
}

const denied: Readonly<Record<Denial, Sentences>> = {
  'permission-denied': {
    title: 'You cannot open this note',
    text: 'Your link or login does not open it, or not any more. Ask whoever shared it for a new link.',
  },
  'token-expired': {
    title: 'Your access has ended',
    text: 'Your link or login was good for a limited time. Ask whoever shared the note for a new link.',
  },
  'token-revoked': {
    title: 'Your access was taken back',
    text: 'Your link or login no longer opens this note. If you still need it, ask whoever shared it for a new link.',
  },
  'document-deleted': {
    title: 'This note was deleted',
    text: 'Whoever looks after it can bring it back. Until then nobody can open it.',
  },
  'lineage-retired': {
    title: 'This note was started anew',
    text: 'What you have here is from before that, and could not be kept on the server. Take a copy of it.',
  },
};

function megabytes(bytes: number): string {
  const amount = bytes / 2 ** 20;
  return amount >= 1 ? `${Math.round(amount)} MB` : `${Math.ceil(bytes / 1024)} kB`;
}

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
    titleFull: 'There is no more room in the title. Write the rest in the text below.',
    textLabel: (title: string) => `Text of ${title === '' ? 'this note' : title}`,
    placeholder: 'Write, or press / for blocks',
    list: 'Notes on this device',
    showList: 'Show the list of notes',
    hideList: 'Hide the list of notes',
    copyLink: 'Copy link',
    linkCopied: 'Link copied. Anyone who can reach this server can open the note with it.',
    linkCopiedForSome: 'Link copied. It opens the note for people who have access to it.',
    linkNotCopied: 'The link could not be copied. It is in the address bar.',
    opening: 'Opening the note',
    share: 'Share',
    tryNow: 'Try now',
    startedAnew: (kept: boolean) =>
      kept
        ? 'This note was started anew. What you had of it before is kept aside.'
        : 'This note was started anew.',
    shortcuts: 'Keyboard shortcuts',
    notLoaded: 'This could not be loaded. Check the connection and try again.',
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
        return state.unsent ? 'Read only: not all your text is saved' : 'Read only';
      case 'offline':
        return `${state.silent ? 'No answer from the server' : 'Offline'}: ${
          state.kept ? 'kept on this device' : 'not kept on this device'
        }`;
      case 'stuck':
        return 'Not saved: your last text is on this screen only';
      case 'full':
        return 'Not saved: this note is full';
      case 'notSaved':
        return state.reason === null
          ? 'Not saved: the server cannot store right now'
          : `Not saved: ${state.reason}`;
      case 'denied':
        return state.unsent ? 'No access: not all your text is saved' : 'No access';
      default:
        return state satisfies never;
    }
  },

  banner: {
    stuck:
      'Something in this page has failed. What you typed last is on this screen only: copy it, then load the page again.',
    full: (bytesMax: number, kept: boolean) =>
      `This note is full (${megabytes(bytesMax)}). ${
        kept
          ? 'Your last text is on this device.'
          : 'This device does not keep your last text: copy it before you leave.'
      } Move part of it to a new note.`,
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

  rescued: {
    label: 'Text kept aside',
    text: 'Text was kept aside: somebody removed the line it was in while it was being written.',
    by: (author: string | null, when: string) => `${author ?? 'Somebody'}, ${when}`,
    restore: 'Put back',
    restoreThis: (text: string) => `Put back: ${text}`,
    restored: 'The text is back in the note.',
    copy: 'Copy',
    copyThis: (text: string) => `Copy: ${text}`,
    copied: 'The text is on the clipboard.',
    notCopied: 'The text could not be copied.',
    dismiss: 'Dismiss',
    dismissThis: (text: string) => `Dismiss: ${text}`,
    dismissed: 'The text was thrown away.',
    fault: 'The server could not be asked. The text is still kept; try again.',
  },

  access: {
    denied: (denial: Denial): Sentences => denied[denial],
    /** Nothing to open it with, and nothing to say about the note. */
    needed: {
      title: 'This note needs a link',
      text: 'Ask whoever wrote it for a link that opens it.',
    },
    readOnly: {
      title: 'You can only read this note now',
      text: 'If you may write again, what you wrote is sent by itself.',
    },
    safe: 'Everything you wrote here has been saved.',
    unsent: (kept: boolean) =>
      kept
        ? 'What you wrote last has not reached the server. It is kept on this device: take a copy if you need it elsewhere.'
        : 'What you wrote last has not reached the server, and this device does not keep it: take a copy before you leave.',
    tryAgain: 'Try again',
    trying: 'Asking the server again…',
    withoutLink: 'Open without the link',
    copy: 'Copy my text',
    copied: 'Your text is on the clipboard, as Markdown.',
    notCopied: 'The text could not be copied. Download it, or select it and copy it by hand.',
    download: 'Download my text',
  },

  share: {
    title: 'Share this note',
    level: 'Anyone with the link can',
    levels: { read: 'read', comment: 'read and comment', write: 'read and edit' } satisfies Record<
      LinkLevel,
      string
    >,
    expiry: 'The link ends',
    expiries: {
      never: 'never',
      hour: 'after 1 hour',
      day: 'after 1 day',
      week: 'after 7 days',
    },
    label: 'For whom (only you see this)',
    copy: 'Copy link',
    made: 'New link',
    copied: 'Link copied. It cannot be shown again later, but a new one can be made.',
    notCopied: 'The link is made but could not be copied. Copy it from the field.',
    links: 'Links to this note',
    loading: 'Loading the links…',
    none: 'No links yet.',
    unnamed: (when: string) => `Link of ${when}`,
    can: (level: string, end: string) => `Can ${level} · ${end}`,
    ends: (when: string) => `ends ${when}`,
    endless: 'does not end',
    revoke: 'Revoke',
    revokeName: (name: string) => `Revoke ${name}`,
    revoked: (name: string) => `${name} no longer opens the note.`,
    fault: (fault: ApiFault): string => {
      switch (fault.kind) {
        case 'unreachable':
          return 'The server could not be reached. Nothing has changed; try again.';
        case 'denied':
          return 'You may not share this note any more.';
        case 'refused':
          return `The server refused: ${fault.detail}.`;
        default:
          return fault satisfies never;
      }
    },
  },

  foreign: {
    title: 'This note can only be read here',
    text: (names: string) =>
      `It holds content that this editor does not know (${names}). Nothing is changed or lost; open it with the editor that wrote it, or load this page again after an update.`,
    fault: (kept: boolean) =>
      kept
        ? 'This page could not show a change. All that you wrote is kept; load the page again to go on writing.'
        : 'This page could not show a change, and what you typed last is not kept. Load the page again to go on writing.',
    unknown: (name: string) => `Unknown content: ${name}`,
    picture: 'A picture that this page cannot edit yet',
    /** Known by name, but with values or in an order that the editor cannot take. */
    shown: (name: string) => `Only shown here: ${name}`,
    empty: (name: string) => `Empty: ${name}`,
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
