import type { Sensor, Server } from "../../api/types";

const ORDER = ["nominal", "unknown", "warning", "critical"];

/** The gravest state of all sensors; null where there are none. */
export function worstState(sensors: readonly Sensor[]): string | null {
  const ranks = sensors.map(({ state }) => Math.max(0, ORDER.indexOf(state)));
  return ranks.length === 0 ? null : (ORDER[Math.max(...ranks)] ?? null);
}

/** By name where we know it, else by its IANA enterprise number. */
export function manufacturerOf(device: Server["device"]): string | null {
  if (device?.manufacturer) return device.manufacturer;
  const number = device?.manufacturer_id;
  return number === null || number === undefined ? null : `IANA ${number}`;
}
