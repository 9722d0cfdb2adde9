/** Pattern of stretches that were not observed. */
export function Hatch({ id }: { id: string }) {
  return (
    <defs>
      <pattern
        id={id}
        width={6}
        height={6}
        patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)"
      >
        <rect width={6} height={6} fill="var(--rocket-hatch-bg)" />
        <line
          x1={0}
          y1={0}
          x2={0}
          y2={6}
          stroke="var(--rocket-hatch)"
          strokeWidth={1.5}
        />
      </pattern>
    </defs>
  );
}
