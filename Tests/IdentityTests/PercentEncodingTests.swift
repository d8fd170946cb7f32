import Identity
import NaiveArithmetic
import Testing

struct PercentEncodingTests {
    @Test func `any text survives its escapes, in either case`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                if let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &generator)) {
                    scalars.append(scalar)
                }
            }
            let text = String(scalars)
            let escapes = text.utf8.map { "%" + Hexadecimal.text(of: [$0]) }.joined()
            for written in [escapes, escapes.uppercased()] {
                let read = PercentEncoding.decoded(written)
                #expect(read.map { Array($0.utf8) } == Array(text.utf8), "seed \(seed)")
            }
        }
    }

    @Test func `a plus is a space in queries alone`() {
        #expect(PercentEncoding.decoded("a+b%2Bc") == "a+b+c")
        #expect(PercentEncoding.decoded("a+b%2Bc", plusIsSpace: true) == "a b+c")
        #expect(PercentEncoding.decoded("") == "")
    }

    @Test(arguments: ["%", "%4", "a%", "%g0", "%0g", "%+f", "%-1", "% 1", "%%41", "%ff", "%c3", "%ed%a0%80"])
    func `broken escapes and bytes that are no UTF-8 are refused`(text: String) {
        #expect(PercentEncoding.decoded(text) == nil)
    }
}
