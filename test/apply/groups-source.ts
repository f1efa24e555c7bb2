import type { ApplyMutation } from '../../src/targets/target.js';
import { remove, upsert } from '../targets/postgres/apply-fixture.js';
import { A_CHILD, A_PARENT, B_CHILD, B_PARENT } from './groups-fixture.js';

/** Random transactions over both pairs, after each of which every parent's total is the sum of its children. */
export interface RandomFamilies {
  /** The changes of the transactions `from` to `to`, each at its own timestamp. */
  commit(from: number, to: number): readonly ApplyMutation[];
  /** What the tables hold then, as `fixture.rows` reads `to_jsonb`. */
  tables(): Readonly<Record<string, readonly (readonly string[])[]>>;
}

interface Pair {
  readonly name: string;
  readonly parent: number;
  readonly child: number;
  readonly totals: Map<number, number>;
  readonly children: Map<number, { readonly parent: number; readonly v: number }>;
}

const PARENTS = 6;
const CHILDREN = 30;

export function randomFamilies(seed: number): RandomFamilies {
  const random = generator(seed);
  const pairs: readonly Pair[] = [
    { name: 'a', parent: A_PARENT, child: A_CHILD, totals: new Map(), children: new Map() },
    { name: 'b', parent: B_PARENT, child: B_CHILD, totals: new Map(), children: new Map() },
  ];

  /** A few children come, change, move or go, and the totals with them. */
  function transact(n: number, pair: Pair): readonly ApplyMutation[] {
    const [children, parents] = [new Set<number>(), new Set<number>()];
    const add = (parent: number, v: number): void => {
      pair.totals.set(parent, (pair.totals.get(parent) ?? 0) + v);
      parents.add(parent);
    };
    for (let i = 0; i <= random(3); i++) {
      const id = random(CHILDREN);
      const before = pair.children.get(id);
      if (before !== undefined) add(before.parent, -before.v);
      const now = before !== undefined && random(4) === 0 ? undefined : { parent: random(PARENTS), v: random(9) };
      if (now === undefined) pair.children.delete(id);
      else {
        pair.children.set(id, now);
        add(now.parent, now.v);
      }
      children.add(id);
    }
    return [
      ...[...parents].map((id) =>
        upsert(n, pair.parent, `[${id}]`, `{"id": ${id}, "total": ${pair.totals.get(id) ?? 0}}`),
      ),
      ...[...children].map((id) => {
        const child = pair.children.get(id);
        return child === undefined
          ? remove(n, pair.child, `[${id}]`)
          : upsert(n, pair.child, `[${id}]`, `{"id": ${id}, "parent": ${child.parent}, "v": ${child.v}}`);
      }),
    ];
  }

  return {
    commit(from, to) {
      return Array.from({ length: to - from + 1 }, (_, i) => from + i).flatMap((n) =>
        pairs.filter(() => random(3) > 0).flatMap((pair) => transact(n, pair)),
      );
    },
    tables: () =>
      Object.fromEntries(
        pairs.flatMap(({ name, totals, children }) => [
          [`${name}_parent`, sorted(totals).map(([id, total]) => [`{"id": ${id}, "total": ${total}}`])],
          [
            `${name}_child`,
            sorted(children).map(([id, { parent, v }]) => [`{"v": ${v}, "id": ${id}, "parent": ${parent}}`]),
          ],
        ]),
      ),
  };
}

function sorted<T>(rows: ReadonlyMap<number, T>): [number, T][] {
  return [...rows].sort(([a], [b]) => a - b);
}

/** Whole numbers below `most`, the same ones for the same seed. */
function generator(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}
