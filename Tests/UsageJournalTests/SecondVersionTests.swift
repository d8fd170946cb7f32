import Identity
import Metering
import Testing

@testable import UsageJournal

/// The first version's entry, as the program that wrote the second version wrote it: before records had notes and the
/// model's own name.
@Suite struct SecondVersionTests {
    private static let closeFrame =
        "8d010000030203545275027002e897b69a01fdffffffffffffbf037003e897b69a01fcffffffffffffbf047004e897b69a01"
        + "fbffffffffffffbf057005e897b69a01faffffffffffffbf067006e897b69a01f9ffffffffffffbf097009e897b69a01f6ff"
        + "ffffffffffbf0200076d6f64656c2d31087072696f726974790103e6070b636c69656e745f6c656674128420f08d0b010474"
        + "65616d04626c7565bfa90702077007e897b69a01f8ffffffffffffbf0204656173740b6f72672f6d6f64656c2d310b6f7267"
        + "2f6d6f64656c2d31076d6f64656c2d3100000400010b736179732033206f6620320400f00700000000066831303078380366"
        + "703800010000000000087008e897b69a01f7ffffffffffffbf0404776573740b6f72672f6d6f64656c2d310c6d6f64656c2d"
        + "312d30363133076d6f64656c2d3101087072696f72697479bf04e012e0c508d80410500a0c01010001010473746f70900301"
        + "0b63686174636d706c2dc3a9421f14a01fe820a0fe0ae8ff0a010000167b2270726f6d70745f746f6b656e73223a31353531"
        + "7d010000000000"

    @Test func `what the second version wrote is read as it was meant`() throws {
        let frame = try #require(Hexadecimal.bytes(of: SecondVersionTests.closeFrame))
        #expect(frame[5] == 2)
        let read = try DecodedFrame(kind: frame[4], version: frame[5], payload: Array(frame[Frame.headerBytes...]))
        #expect(read == .entry(.close(FirstVersion.entry)))
    }

    @Test func `a second version's record cut short anywhere is refused`() throws {
        let frame = try #require(Hexadecimal.bytes(of: SecondVersionTests.closeFrame))
        let payload = Array(frame[Frame.headerBytes...])
        for count in payload.indices {
            #expect(throws: DecodingFault.self) {
                try DecodedFrame(kind: frame[4], version: 2, payload: Array(payload[..<count]))
            }
        }
    }
}
