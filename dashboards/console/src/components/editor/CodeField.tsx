// The label, the frame and the complaint around an editor that is loaded when it is shown.
import { Box, Input, Skeleton, type InputWrapperProps } from "@mantine/core";
import { Suspense, useId, type ReactNode } from "react";

interface Props extends Pick<
  InputWrapperProps,
  "label" | "description" | "error" | "withAsterisk"
> {
  children: (ids: { labelId: string; descriptionId?: string; invalid: boolean }) => ReactNode;
}

export function CodeField({ children, description, error, ...rest }: Props) {
  const id = useId();
  const labelId = `${id}-label`;
  const described = [description && `${id}-description`, error && `${id}-error`];
  return (
    <Input.Wrapper
      {...rest}
      id={id}
      labelElement="div"
      labelProps={{ id: labelId }}
      description={description}
      descriptionProps={{ id: `${id}-description` }}
      error={error}
      errorProps={{ id: `${id}-error` }}
    >
      <Box my={5}>
        <Suspense fallback={<Skeleton height={38} />}>
          {children({
            labelId,
            descriptionId: described.filter(Boolean).join(" ") || undefined,
            invalid: Boolean(error),
          })}
        </Suspense>
      </Box>
    </Input.Wrapper>
  );
}
