import { createContext, useContext } from "react";
import type { Me } from "../api/types";

export const MeContext = createContext<Me | null>(null);

/** Who is logged in; only below the frame, which shows nothing to nobody. */
export function useMe(): Me & { isOperator: boolean } {
  const me = useContext(MeContext);
  if (me === null) throw new Error("used outside of the frame");
  return { ...me, isOperator: me.role === "operator" };
}
