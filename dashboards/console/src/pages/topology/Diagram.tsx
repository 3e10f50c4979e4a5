// The picture, by React Flow. It is for eyes and pointers; the list beside it says the same.
import { ActionIcon, Box, Group, Tooltip, useComputedColorScheme } from "@mantine/core";
import { IconMaximize, IconMinus, IconPlus } from "@tabler/icons-react";
import { ReactFlow, ReactFlowProvider, useReactFlow, type Edge } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { nodeTypes, type AnyNode } from "./nodes";
import { itemPosition, SIZES, type Box as PlanBox, type Plan } from "./plan";

const ROOT = "opshawk";
const ZOOM = { minZoom: 0.15, maxZoom: 1.6 };
/** Above and below the picture, in pixels. */
const MARGIN = 60;
const FIT = { padding: 0.06, maxZoom: 1 };

interface Props {
  plan: Plan;
  tenantName: (id: string) => string;
}

export default function Diagram(props: Props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

const fixed = { draggable: false, selectable: false, focusable: false } as const;
/** Sizes are ours, so that nothing has to be measured before it is drawn. */
const sized = (width: number, height: number) => ({ width, height, measured: { width, height } });

function boxNodes({ place, hidden, x, y, height }: PlanBox, tenantName: Props["tenantName"]) {
  const id = place.kind === "host" ? place.host.id : place.kind;
  const box: AnyNode = {
    ...fixed,
    id,
    type: "box",
    position: { x, y },
    data: { place, hidden },
    ...sized(SIZES.box.width, height),
  };
  const inside = (i: number) => ({
    ...fixed,
    parentId: id,
    position: itemPosition(i),
    ...sized(SIZES.item.width, SIZES.item.height),
  });
  const items: AnyNode[] =
    place.kind === "servers"
      ? place.items.map((server, i) => ({
          ...inside(i),
          id: server.id,
          type: "server",
          data: { server },
        }))
      : place.items.map((instance, i) => ({
          ...inside(i),
          id: instance.id,
          type: "instance",
          data: { instance, tenant: tenantName(instance.tenant_id) },
        }));
  return [box, ...items];
}

function draw({ root, boxes }: Plan, tenantName: Props["tenantName"]) {
  const top: AnyNode = {
    ...fixed,
    id: ROOT,
    type: "root",
    position: root,
    data: {},
    ...sized(SIZES.root.width, SIZES.root.height),
  };
  const edge = (target: string, answers: boolean): Edge => ({
    id: target,
    source: ROOT,
    target,
    type: "smoothstep",
    focusable: false,
    className: answers ? undefined : "topo-lost",
  });
  const edges = boxes.flatMap(({ place }) => {
    if (place.kind === "host") return [edge(place.host.id, place.host.status === "ok")];
    if (place.kind === "servers") return [edge(place.kind, true)];
    return [];
  });
  return { nodes: [top, ...boxes.flatMap((box) => boxNodes(box, tenantName))], edges };
}

function Flow({ plan, tenantName }: Props) {
  const { t } = useTranslation();
  const colorMode = useComputedColorScheme("light");
  const { nodes, edges } = useMemo(() => draw(plan, tenantName), [plan, tenantName]);
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  const buttons = [
    { label: t("topology.zoomIn"), icon: IconPlus, act: () => void zoomIn() },
    { label: t("topology.zoomOut"), icon: IconMinus, act: () => void zoomOut() },
    { label: t("topology.fit"), icon: IconMaximize, act: () => void fitView(FIT) },
  ];
  return (
    <Box pos="relative" h={`min(70vh, ${plan.height + MARGIN}px)`} mih={260}>
      <Box aria-hidden h="100%">
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          colorMode={colorMode}
          fitView
          fitViewOptions={FIT}
          {...ZOOM}
          // The wheel scrolls the page; with Ctrl it zooms, as on a map.
          zoomOnScroll={false}
          preventScrolling={false}
          nodesFocusable={false}
          edgesFocusable={false}
          nodesConnectable={false}
          disableKeyboardA11y
          proOptions={{ hideAttribution: true }}
        />
      </Box>
      <Group gap={4} pos="absolute" top={10} right={10} style={{ zIndex: 5 }}>
        {buttons.map(({ label, icon: Mark, act }) => (
          <Tooltip key={label} label={label}>
            <ActionIcon variant="default" aria-label={label} onClick={act}>
              <Mark size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        ))}
      </Group>
    </Box>
  );
}
