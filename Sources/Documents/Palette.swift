/// The colours of both renderings: ink in three strengths, one accent.
enum Palette {
    /// Red, green and blue, 0 to 255.
    struct Color: Hashable {
        let red: UInt8
        let green: UInt8
        let blue: UInt8

        /// `#0f6e66`
        var hexadecimal: String {
            "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }

    /// Text.
    static let ink = Color(red: 26, green: 31, blue: 44)
    /// Labels and notes.
    static let muted = Color(red: 98, green: 106, blue: 122)
    /// Rules between rows.
    static let hairline = Color(red: 226, green: 229, blue: 235)
    /// Behind notices.
    static let wash = Color(red: 246, green: 247, blue: 249)
    /// The watermark, behind text.
    static let watermark = Color(red: 240, green: 241, blue: 244)
    /// The bar at the top, the amount due, the state.
    static let accent = Color(red: 13, green: 110, blue: 104)
}
