/**
 * Stands in the page's bundle for ProseMirror's own history, which Tiptap asks in two places. The page
 * has none: undo belongs to the shared text (`textUndo`).
 */
import type { Transaction } from '@tiptap/pm/state';

/** Ends a step of the history. */
export function closeHistory(transaction: Transaction): Transaction {
  return transaction;
}

/** Whether the history made the transaction. */
export function isHistoryTransaction(): boolean {
  return false;
}
