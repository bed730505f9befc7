/** What may stand where, for foreign nodes: anything in them, and they wherever their base may. */
import { ContentMatch, Fragment, type NodeType, type Schema } from '@tiptap/pm/model';

/** Takes any content, and invites none: nothing is joined to it or wrapped in it. */
export class AnyContent extends ContentMatch {
  override matchType(): ContentMatch {
    return this;
  }
  override matchFragment(): ContentMatch {
    return this;
  }
  override fillBefore(): Fragment {
    return Fragment.empty;
  }
  override findWrapping(): null {
    return null;
  }
}

interface OpenMatch extends ContentMatch {
  readonly next: { readonly type: NodeType; readonly next: ContentMatch }[];
}

/** Lets a new type stand wherever another one may. */
export function openTo(schema: Schema, base: NodeType, type: NodeType): void {
  for (const match of matchesOf(schema)) {
    const place = match.next.find((edge) => edge.type === base);
    if (place !== undefined) match.next.push({ type, next: place.next });
  }
}

/** All states of the schema's content expressions. */
function matchesOf(schema: Schema): ReadonlySet<OpenMatch> {
  const found = new Set<OpenMatch>();
  const visit = (match: ContentMatch) => {
    if (found.has(match as OpenMatch)) return;
    found.add(match as OpenMatch);
    for (let index = 0; index < match.edgeCount; index += 1) visit(match.edge(index).next);
  };
  for (const type of Object.values(schema.nodes)) visit(type.contentMatch);
  return found;
}
