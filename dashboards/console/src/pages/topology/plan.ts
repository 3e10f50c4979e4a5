// Who stands where in the picture: a box a host with its instances inside, one for the servers, and
// OpsHawk above them all. Pure, so that it can be tested.
import type { Host, Instance, Server } from "../../api/types";

/** What the picture shows at most; the list shows what it leaves out. */
export const HOSTS_MAX = 24;
export const PER_BOX_MAX = 16;

export const SIZES = {
  root: { width: 190, height: 52 },
  box: { width: 236, head: 62, pad: 10 },
  item: { width: 216, height: 44 },
} as const;

const ITEM_STEP = SIZES.item.height + 8;
const MORE_HEIGHT = 24;
const COLUMN_STEP = SIZES.box.width + 28;
const COLUMNS_MAX = 6;
const ROOT_GAP = 72;
const ROW_GAP = 36;

/** What a box is for: a host, the instances that have none, or the servers. */
export type Place =
  | { kind: "host"; host: Host; items: Instance[] }
  | { kind: "unplaced"; items: Instance[] }
  | { kind: "servers"; items: Server[] };

/** A place with what is drawn of it, and where. */
export interface Box {
  place: Place;
  /** Of its items, those that are not drawn. */
  hidden: number;
  x: number;
  y: number;
  height: number;
}

export interface Plan {
  height: number;
  root: { x: number; y: number };
  boxes: Box[];
  hiddenHosts: number;
  hiddenServers: number;
  hiddenInstances: number;
}

/** Where the item with this number stands in its box. */
export const itemPosition = (i: number) => ({
  x: SIZES.box.pad,
  y: SIZES.box.head + i * ITEM_STEP,
});

/** Instances by their host; under null, what has none. */
export function byHost(instances: readonly Instance[]): Map<string | null, Instance[]> {
  const groups = new Map<string | null, Instance[]>();
  for (const instance of instances) {
    const place = instance.host_id ?? null;
    const group = groups.get(place);
    if (group) group.push(instance);
    else groups.set(place, [instance]);
  }
  return groups;
}

function bounded(place: Place) {
  const hidden = Math.max(0, place.items.length - PER_BOX_MAX);
  const drawn = place.items.length - hidden;
  const height =
    SIZES.box.head + drawn * ITEM_STEP + (hidden > 0 ? MORE_HEIGHT : 0) + SIZES.box.pad;
  // Each kind keeps its own type of items.
  const items = place.items.slice(0, PER_BOX_MAX);
  return { place: { ...place, items } as Place, hidden, height };
}

/** Rows of at most `COLUMNS_MAX`, each as high as its highest. */
function inRows(boxes: readonly ReturnType<typeof bounded>[], top: number): Box[] {
  const columns = Math.min(boxes.length, COLUMNS_MAX);
  const placed: Box[] = [];
  let y = top;
  for (let first = 0; first < boxes.length; first += columns) {
    const row = boxes.slice(first, first + columns);
    row.forEach((box, column) => placed.push({ ...box, x: column * COLUMN_STEP, y }));
    y += Math.max(...row.map(({ height }) => height)) + ROW_GAP;
  }
  return placed;
}

export function plan(
  hosts: readonly Host[],
  servers: readonly Server[],
  instances: readonly Instance[],
): Plan {
  const groups = byHost(instances);
  const places = hosts
    .slice(0, HOSTS_MAX)
    .map((host): Place => ({ kind: "host", host, items: groups.get(host.id) ?? [] }));
  const unplaced = groups.get(null);
  if (unplaced) places.push({ kind: "unplaced", items: unplaced });
  if (servers.length > 0) places.push({ kind: "servers", items: [...servers] });

  const boxes = inRows(places.map(bounded), SIZES.root.height + ROOT_GAP);
  const width = Math.max(0, ...boxes.map(({ x }) => x)) + SIZES.box.width;
  const drawn = boxes.reduce(
    (sum, { place }) => sum + (place.kind === "servers" ? 0 : place.items.length),
    0,
  );
  return {
    height: Math.max(SIZES.root.height, ...boxes.map(({ y, height }) => y + height)),
    root: { x: (width - SIZES.root.width) / 2, y: 0 },
    boxes,
    hiddenHosts: Math.max(0, hosts.length - HOSTS_MAX),
    hiddenServers: Math.max(0, servers.length - PER_BOX_MAX),
    hiddenInstances: instances.length - drawn,
  };
}
