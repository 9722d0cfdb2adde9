/** Rocket's sign: drawn for dark backgrounds (the sidebar, the sign-in page's panel). */
export function LogoIcon(props: { size?: number }) {
  const size = props.size ?? 28;
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M16 2.5c4 3 6 7.2 6 12.5 0 2.1-.35 4-1 5.8H11c-.65-1.8-1-3.7-1-5.8 0-5.3 2-9.5 6-12.5Z"
        fill="#ffffff"
      />
      <circle cx="16" cy="12.5" r="2.6" fill="#0e1b33" />
      <path
        d="M9.7 15.5 5.6 19.7v5.5l4.9-2.9M22.3 15.5l4.1 4.2v5.5l-4.9-2.9"
        fill="none"
        stroke="#9db2ff"
        strokeWidth="2.2"
        strokeLinejoin="round"
      />
      <path d="M13.1 23.2h5.8L16 29.5Z" fill="#ff7a45" />
    </svg>
  );
}

/** The sign with the name. */
export function LogoFull() {
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 10 }}>
      <LogoIcon />
      <span
        style={{
          color: '#ffffff',
          fontSize: 20,
          fontWeight: 600,
          letterSpacing: '0.01em',
        }}
      >
        Rocket
      </span>
    </span>
  );
}
