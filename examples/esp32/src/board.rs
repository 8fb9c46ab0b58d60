//! The board: clock, heap, scheduler, and the pins.

// Its logger is the one that defmt looks for.
#[cfg(feature = "defmt")]
use esp_println as _;

use esp_hal::clock::CpuClock;
use esp_hal::efuse::{InterfaceMacAddress, interface_mac_address};
use esp_hal::gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull};
use esp_hal::peripherals::{FLASH, FROM_CPU_INTR1, WIFI};
use esp_hal::ram;
use esp_hal::rtc_cntl::{Rtc, Rwdt};
use esp_hal::timer::timg::TimerGroup;

/// What the program takes over.
pub struct Board {
    /// The button marked BOOT: GPIO9, to ground, on the development boards of both chips.
    pub button: Input<'static>,
    /// GPIO10: free on the same boards, so a plain LED with its resistor, to ground.
    pub lamp: Output<'static>,
    /// The radio.
    pub wifi: WIFI<'static>,
    /// The flash that the program is in.
    pub flash: FLASH<'static>,
    /// An interrupt that a program can raise.
    pub interrupt: FROM_CPU_INTR1<'static>,
    /// What can restart the chip. It is off.
    pub watchdog: Rwdt,
}

/// Wakes the board up. Once.
pub fn start() -> Board {
    #[cfg(all(feature = "log", not(feature = "defmt")))]
    esp_println::logger::init_logger(log::LevelFilter::Info);
    let it = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // For the library of the radio only. The first piece was the boot loader's.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    esp_rtos::start(TimerGroup::new(it.TIMG0).timer0, it.FROM_CPU_INTR0);
    Board {
        button: Input::new(it.GPIO9, InputConfig::default().with_pull(Pull::Up)),
        lamp: Output::new(it.GPIO10, Level::Low, OutputConfig::default()),
        wifi: it.WIFI,
        flash: it.FLASH,
        interrupt: it.FROM_CPU_INTR1,
        watchdog: Rtc::new(it.RTC_TIMER).rwdt,
    }
}

/// The MAC address of the station.
pub fn address() -> [u8; 6] {
    let address = interface_mac_address(InterfaceMacAddress::Station);
    // It is as long as that.
    address.as_bytes().try_into().unwrap_or_default()
}
