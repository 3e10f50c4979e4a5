// How long the range is, when it ends, and how far its points lie apart.
import { ActionIcon, Group, Input, Select, TextInput, Tooltip } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconPlayerSkipForward } from "@tabler/icons-react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { formatDuration, fromLocalInput, toLocalInput } from "../../format/time";
import { DEFAULT_RANGE, durationS, RANGES, type QuerySearch } from "./search";

type Range = Pick<QuerySearch, "range" | "end" | "step">;

interface Props {
  search: QuerySearch;
  onChange: (range: Range) => void;
}

export function RangePicker({ search, onChange }: Props) {
  const { t, i18n } = useTranslation();
  const { range = DEFAULT_RANGE, end, step } = search;
  const [until, setUntil] = useState(end === undefined ? "" : toLocalInput(new Date(end)));
  const [spacing, setSpacing] = useState(step ?? "");
  const lengthS = durationS(range) ?? 0;
  const wrongStep = spacing.trim() !== "" && durationS(spacing) === null;
  const offered = [...new Set<string>([...RANGES, range])];

  const move = (by: number) => {
    const from = end === undefined ? Date.now() : Date.parse(end);
    const to = Math.min(Date.now(), from + by * lengthS * 1_000);
    onChange({ range, step, end: new Date(to).toISOString() });
  };
  const settle = () => {
    if (wrongStep) return;
    const at = fromLocalInput(until)?.toISOString();
    const next = spacing.trim() === "" ? undefined : spacing.trim();
    // The field shows whole seconds: an end between two of them stays what it is.
    const same = end !== undefined && until === toLocalInput(new Date(end));
    if (next !== step || (same ? end : at) !== end) onChange({ range, step: next, end: at });
  };
  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    settle();
  };

  return (
    <Group component="form" align="flex-end" gap="sm" onSubmit={onSubmit}>
      <Input.Wrapper label={t("query.range")} labelElement="div">
        <Group gap={4} wrap="nowrap">
          <Step label={t("query.earlier")} icon={IconChevronLeft} onClick={() => move(-0.5)} />
          <Select
            w={132}
            aria-label={t("query.range")}
            allowDeselect={false}
            value={range}
            data={offered.map((value) => ({
              value,
              label: formatDuration((durationS(value) ?? 0) * 1_000, i18n.language),
            }))}
            onChange={(value) => onChange({ step, end, range: value ?? DEFAULT_RANGE })}
          />
          <Step
            label={t("query.later")}
            icon={IconChevronRight}
            disabled={end === undefined}
            onClick={() => move(0.5)}
          />
        </Group>
      </Input.Wrapper>
      <Group gap={4} align="flex-end" wrap="nowrap">
        <TextInput
          type="datetime-local"
          step={1}
          label={end === undefined ? t("query.untilNow") : t("query.until")}
          value={until}
          onChange={(event) => setUntil(event.currentTarget.value)}
          onBlur={settle}
        />
        {end !== undefined && (
          <Step
            label={t("query.now")}
            icon={IconPlayerSkipForward}
            onClick={() => onChange({ range, step, end: undefined })}
          />
        )}
      </Group>
      <TextInput
        w={110}
        label={t("query.step")}
        placeholder={t("query.stepAuto")}
        value={spacing}
        error={wrongStep && t("query.stepWrong")}
        onChange={(event) => setSpacing(event.currentTarget.value)}
        onBlur={settle}
      />
      {/* Enter in a field needs one to press. */}
      <button type="submit" hidden />
    </Group>
  );
}

interface StepProps {
  label: string;
  icon: typeof IconChevronLeft;
  disabled?: boolean;
  onClick: () => void;
}

function Step({ label, icon: Mark, disabled, onClick }: StepProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        size={36}
        variant="default"
        aria-label={label}
        disabled={disabled}
        onClick={onClick}
      >
        <Mark size={17} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
