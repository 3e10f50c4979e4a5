import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { keys } from "../../api/keys";
import type { Host, Instance, Server } from "../../api/types";
import { hosts, instances, member, operator, servers } from "../../test/fake";
import { fakeServer, renderApp } from "../../test/render";
import { byHost, HOSTS_MAX, itemPosition, PER_BOX_MAX, plan, SIZES, type Box } from "./plan";

const [host] = hosts;
const [instance] = instances;
const [server] = servers;
if (!host || !instance || !server) throw new Error("the fake has one of each");

const many = <T extends { id: string }>(one: T, count: number, more: (i: number) => Partial<T>) =>
  Array.from({ length: count }, (_, i): T => ({ ...one, id: `${one.id}-${i}`, ...more(i) }));

const overlap = (a: Box, b: Box) =>
  a.x < b.x + SIZES.box.width &&
  b.x < a.x + SIZES.box.width &&
  a.y < b.y + b.height &&
  b.y < a.y + a.height;

describe("the plan", () => {
  test("puts each instance into the box of its host, and the rest into one of their own", () => {
    const waiting: Instance = { ...instance, id: "w", host_id: null };
    const { boxes } = plan(hosts, servers, [...instances, waiting]);
    expect(boxes.map(({ place }) => [place.kind, place.items.length])).toEqual([
      ["host", instances.length],
      ["host", 0],
      ["unplaced", 1],
      ["servers", servers.length],
    ]);
    expect(byHost([waiting]).get(null)).toEqual([waiting]);
  });

  test("draws no more than its bounds, and counts what it leaves out", () => {
    const allHosts: Host[] = many(host, HOSTS_MAX + 3, () => ({}));
    const allServers: Server[] = many(server, PER_BOX_MAX + 2, () => ({}));
    const first = allHosts[0]?.id;
    const last = allHosts.at(-1)?.id;
    const onFirst = many(instance, PER_BOX_MAX + 5, () => ({ host_id: first }));
    const onLast = many(instance, 4, (i) => ({ id: `l${i}`, host_id: last }));
    const planned = plan(allHosts, allServers, [...onFirst, ...onLast]);
    expect(planned).toMatchObject({ hiddenHosts: 3, hiddenServers: 2, hiddenInstances: 5 + 4 });
    expect(planned.boxes[0]).toMatchObject({ hidden: 5 });
    expect(planned.boxes[0]?.place.items).toHaveLength(PER_BOX_MAX);
    expect(planned.boxes).toHaveLength(HOSTS_MAX + 1);
  });

  test("lets no two boxes overlap, and no item leave its box", () => {
    const all = many(host, 15, () => ({}));
    const on = all.flatMap(({ id }, i) =>
      many(instance, (i * 5) % 19, (n) => ({ id: `${id}/${n}`, host_id: id })),
    );
    const { boxes, height } = plan(all, servers, on);
    for (const [i, box] of boxes.entries()) {
      expect(boxes.slice(i + 1).filter((other) => overlap(box, other))).toEqual([]);
      const bottom = itemPosition(box.place.items.length - 1).y + SIZES.item.height;
      expect(bottom).toBeLessThanOrEqual(box.height);
      expect(box.y + box.height).toBeLessThanOrEqual(height);
      expect(box.y).toBeGreaterThan(SIZES.root.height);
    }
  });
});

describe("the page", () => {
  const list = async () =>
    within(await screen.findByRole("region", { name: "The same as a list" }));

  test("lists every host with its instances, their states and tenants, as links", async () => {
    fakeServer(operator);
    await renderApp("/topology");
    const within_ = await list();
    const part = within(within_.getByRole("region", { name: /^node-a/ }));
    expect(part.getByRole("link", { name: "node-a" })).toHaveAttribute("href", `/hosts/${host.id}`);
    const line = part.getAllByRole("listitem")[0];
    expect(line).toHaveTextContent(/web-1.*acme.*Running/);
    expect(part.getAllByRole("listitem")).toHaveLength(instances.length);
    const empty = within(within_.getByRole("region", { name: /^node-b/ }));
    expect(empty.getByText("No instances")).toBeVisible();
    const metal = within(within_.getByRole("region", { name: "Servers" }));
    expect(metal.getAllByRole("listitem")[1]).toHaveTextContent(/rack1-u09.*Unknown/);
  });

  test("draws the same, coloured by state, for pointers alone", async () => {
    fakeServer(operator);
    const { container } = await renderApp("/topology");
    await waitFor(() =>
      expect(container.querySelectorAll(".topo-item")).toHaveLength(
        instances.length + servers.length,
      ),
    );
    const states = [...container.querySelectorAll(".topo-item")].map((node) =>
      node.getAttribute("data-state"),
    );
    expect(states).toEqual([
      ...instances.map(({ state }) => state),
      ...servers.map(({ power }) => power),
    ]);
    const [drawn] = container.querySelectorAll(".topo-item a");
    expect(drawn).toHaveAttribute("tabindex", "-1");
    expect(drawn?.closest("[aria-hidden=true]")).not.toBeNull();
    // What moves it stays within reach of keys.
    expect(screen.getByRole("button", { name: "Zoom in" })).toBeVisible();
  });

  test("leads to what is pressed", async () => {
    fakeServer(operator);
    const { container, router } = await renderApp("/topology");
    await waitFor(() => expect(container.querySelector(".topo-item a")).not.toBeNull());
    const [drawn] = container.querySelectorAll(".topo-item a");
    // No press of a button before: in jsdom it has no window for d3 to look at.
    fireEvent.click(drawn as Element);
    await waitFor(() => expect(router.state.location.pathname).toBe(`/instances/${instance.id}`));
  });

  test("follows what happens", async () => {
    let state: Instance["state"] = "running";
    fakeServer(operator, ({ path }) =>
      path === "/v1/instances"
        ? { status: 200, body: { items: [{ ...instance, state }], next_cursor: null } }
        : undefined,
    );
    const { queries } = await renderApp("/topology");
    const within_ = await list();
    expect(within_.getAllByRole("listitem")[0]).toHaveTextContent("Running");
    state = "stopped";
    // As the stream of events does.
    act(() => void queries.invalidateQueries({ queryKey: [...keys.instances] }));
    await waitFor(() => expect(within_.getAllByRole("listitem")[0]).toHaveTextContent("Stopped"));
  });

  test("says what it leaves out", async () => {
    const items = many(instance, PER_BOX_MAX + 3, () => ({}));
    fakeServer(operator, ({ path }) =>
      path === "/v1/instances" ? { status: 200, body: { items, next_cursor: null } } : undefined,
    );
    await renderApp("/topology", "zh-CN");
    expect(await screen.findByText(/未绘制：0 台宿主机、0 台服务器、3 个实例/)).toBeVisible();
  });

  test("is for operators", async () => {
    fakeServer(member);
    const { router } = await renderApp("/topology");
    await screen.findByText("8/10 instances");
    expect(router.state.location.pathname).toBe("/");
  });
});
