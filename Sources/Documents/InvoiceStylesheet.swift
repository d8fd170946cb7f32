/// The style of the HTML invoice. The colours are those of `Palette`; a test compares them.
enum InvoiceStylesheet {
    static let text: StaticString = """
        :root { --ink: #1a1f2c; --muted: #626a7a; --hairline: #e2e5eb; --wash: #f6f7f9; --watermark: #f0f1f4;
            --accent: #0d6e68; }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--wash); color: var(--ink); font: 14px/1.5 "Noto Sans", system-ui,
            -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
        main { position: relative; overflow: hidden; max-width: 840px; margin: 32px auto; padding: 64px 72px;
            background: #fff; border-top: 4px solid var(--accent); box-shadow: 0 1px 3px rgba(26, 31, 44, .12); }
        main > * { position: relative; }
        main > .watermark { position: absolute; top: 300px; left: 0; right: 0; text-align: center; font-size: 200px;
            font-weight: 700; line-height: 1; color: var(--watermark); transform: rotate(-35deg);
            pointer-events: none; user-select: none; }
        h1, h2, h3, p, dl, dd { margin: 0; }
        h1 { font-size: 28px; line-height: 1.2; letter-spacing: -.01em; }
        h2 { font-size: 12px; font-weight: 400; color: var(--muted); margin-bottom: 4px; }
        small, .note { font-size: 12px; color: var(--muted); font-weight: 400; }
        .notice { margin-bottom: 24px; padding: 10px 14px; background: var(--wash);
            border-left: 3px solid var(--accent); }
        header { display: flex; justify-content: space-between; gap: 32px; }
        .title { display: flex; align-items: center; gap: 12px; margin-bottom: 20px; }
        .status { padding: 2px 10px; border: 1px solid var(--accent); border-radius: 99px; color: var(--accent);
            font-size: 12px; white-space: nowrap; }
        .brand { font-size: 16px; font-weight: 700; text-align: right; max-width: 45%; overflow-wrap: anywhere;
            line-height: 34px; }
        dl > div { display: grid; grid-template-columns: 130px 1fr; gap: 12px; }
        dt { color: var(--muted); }
        dd { overflow-wrap: anywhere; text-align: left; }
        .parties { display: grid; grid-template-columns: 1fr 1fr; gap: 32px; margin-top: 36px; }
        .parties p { overflow-wrap: anywhere; text-align: left; }
        .name { font-weight: 700; }
        .headline { margin: 40px 0 28px; font-size: 22px; line-height: 1.3; }
        .headline strong { color: var(--accent); font-variant-numeric: tabular-nums; }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { padding: 6px 0; text-align: left; vertical-align: baseline; font-weight: 400; }
        thead th { padding: 8px 0; font-size: 12px; color: var(--muted); border-bottom: 1px solid var(--ink); }
        .number { padding-left: 20px; text-align: right; white-space: nowrap; }
        .lines th[scope=row] span, .lines th[scope=row] small { display: block; overflow-wrap: anywhere;
            text-align: left; }
        .lines tbody tr { break-inside: avoid; }
        .lines tbody tr:not(.group-title):not(.block-title) > * { border-bottom: 1px solid var(--hairline); }
        .group-title th { padding: 24px 0 4px; font-weight: 700; font-size: 16px; }
        .block-title th { padding: 16px 0 4px; font-weight: 700; overflow-wrap: anywhere; }
        .group-title, .block-title { break-after: avoid; }
        .totals { margin: 24px 0 0 auto; max-width: 440px; break-inside: avoid; }
        .totals tr:last-child > * { padding-top: 10px; border-top: 1px solid var(--ink); font-weight: 700;
            font-size: 16px; }
        .totals .note { margin-top: 6px; text-align: right; }
        .payment, .evidence { margin-top: 44px; }
        .payment p { max-width: 80ch; text-align: left; }
        .payment h2, .evidence h2 { color: var(--ink); font-size: 16px; font-weight: 700; margin-bottom: 8px; }
        .evidence h3 { margin: 20px 0 8px; font-size: 14px; }
        .worst { margin-top: 12px; font-size: 12px; }
        .worst th, .worst td { padding: 4px 0; }
        .worst tbody > tr > * { border-bottom: 1px solid var(--hairline); }
        .worst :is(th, td):nth-child(2) { padding-left: 20px; }
        .group-title small, .block-title small, h3 small { margin-left: 6px; }
        code { font: inherit; overflow-wrap: anywhere; }
        @media (max-width: 640px) { main { margin: 0; padding: 32px 20px; } .parties { grid-template-columns: 1fr; }
            .brand { display: none; } .number { padding-left: 10px; } }
        @page { size: A4; margin: 18mm 18mm 20mm; @bottom-right { content: "Page " counter(page) " of "
            counter(pages); font: 8pt "Noto Sans", sans-serif; color: #626a7a; } }
        @media print { body { background: none; font-size: 9.5pt; print-color-adjust: exact;
                -webkit-print-color-adjust: exact; }
            main { margin: 0; padding: 0; max-width: none; border: 0; box-shadow: none; overflow: visible; } }

        """
}
