import type { PriceVersion } from "../../api/types";

/** The version that prices at `nowMs`: the latest begun, of equal instants the later published. */
export function inForce(versions: readonly PriceVersion[], nowMs: number): PriceVersion | undefined {
  const at = ({ effective_at }: PriceVersion) => new Date(effective_at).getTime();
  return versions
    .filter((version) => at(version) <= nowMs)
    .reduce<PriceVersion | undefined>(
      (best, version) => (best && at(best) > at(version) ? best : version),
      undefined,
    );
}

/** Upcoming, in force, or over. */
export function stateOf(
  version: PriceVersion,
  versions: readonly PriceVersion[],
  nowMs: number,
): "upcoming" | "in_force" | "past" {
  if (new Date(version.effective_at).getTime() > nowMs) return "upcoming";
  return inForce(versions, nowMs)?.id === version.id ? "in_force" : "past";
}
